package rating

import "strings"

// field is what a column holds.
type field uint8

const (
	fieldNone field = iota
	fieldName
	fieldCountry
	fieldPrefix
	fieldCountryCode
	fieldAreaCode
	fieldRate
	fieldPeak
	fieldOffPeak
	fieldWeekend
	fieldConnect
	fieldMinimum
	fieldFirstRate
	fieldFirst
	fieldStep
	fieldIncrements
	fieldPeriod
	fieldStart
	fieldEnd
	fieldStatus
	fieldCurrency
	fieldShort
	numFields

	fieldEitherMinimum // a least charge or a least time: the values tell, or nobody can
	fieldNothing       // changes a bill in a way that prices here cannot: it must say nothing
	fieldUnused        // changes no bill
)

var fieldNames = [numFields]string{
	"", "name", "country", "prefix", "country code", "area code", "rate", "peak rate", "off-peak rate", "weekend rate",
	"connection charge", "minimum charge", "first rate", "first interval", "sub interval", "increments", "rate period", "start", "end", "status",
	"currency", "short number",
}

// side is whose price a column is, in files that hold both.
type side uint8

const (
	either side = iota
	selling
	buying
)

// meaning is what a header name stands for.
type meaning struct {
	field field
	side  side
	why   string   // of fieldNothing: what the column would do
	says  []string // of fieldNothing: values that say nothing, beside those of saysNothing
}

// names are header names as real decks have them, in small letters, without punctuation, units and currencies: the words of
// one name are apart by one space. A name of several words is found without the spaces too ("dialcode"), unless that is
// another name (A2Billing's "connectcharge").
var names = func() map[string]meaning {
	m, joined := map[string]meaning{}, map[string]meaning{}
	add := func(mean meaning, list string) {
		for _, name := range strings.Split(list, ",") {
			if old, twice := m[name]; twice && (old.field != mean.field || old.side != mean.side) {
				panic("rating: header name given twice: " + name) // a constant of this package; every test would see it
			}
			m[name], joined[strings.ReplaceAll(name, " ", "")] = mean, mean
		}
	}
	for f, list := range fieldWords {
		add(meaning{field: f}, list)
	}
	for f, list := range sellingWords {
		add(meaning{field: f, side: selling}, list)
	}
	for f, list := range buyingWords {
		add(meaning{field: f, side: buying}, list)
	}
	for _, n := range nothingWords {
		add(meaning{field: fieldNothing, why: n.why, says: n.says}, n.names)
	}
	add(meaning{field: fieldUnused}, unusedWords)
	for f := fieldName; f < numFields; f++ { // what a mapping may call them
		add(meaning{field: f}, strings.ReplaceAll(fieldNames[f], "-", " "))
	}
	for name, mean := range joined {
		if _, ok := m[name]; !ok {
			m[name] = mean
		}
	}
	return m
}()

var fieldWords = map[field]string{
	fieldName: "ziel,destino,destination,destination name,destinations,description,destination description,dest description,name,location,zone,dest,dest name," +
		"route,route name,region,call type,rate name,area name,destination country,operator name,calls to,code name,dst code name,dest code name," +
		"target pattern name,comment,tag,breakout name,product,dialing area,dialling area,destination network,termination,rate description",
	fieldCountry: "land,pays,pais,país,country,country name,countries,dest country",
	fieldPrefix: "vorwahl,präfix,préfixe,prefijo,indicatif,prefix,prefixes,code,codes,dial code,dial codes,dialing code,dialing codes,dialling code,dialling codes," +
		"destination code,destination codes,dest code,dest codes,dst code,dst codes,breakout,breakouts,number prefix," +
		"dial prefix,dial prefixes,prefix code,e164,e 164,digits,dialed digits,dialled digits,dial string,area prefix,pattern,destination prefix," +
		"destination prefixes,dest prefix,dst prefix,termination prefix,called prefix,prefix list,dial pattern,calling code,calling codes",
	fieldCountryCode: "country code,country codes,cc,country prefix,country dial code,country dialling code,country dialing code",
	fieldAreaCode: "area code,area codes,city code,city codes,ndc,ndcs,national code,national codes,operator code,operator codes,sub code,cc ndc," +
		"national destination code",
	fieldRate: "preis,prix,precio,tarifa,tarif,rate,rates,price,prices,cost,tariff,charge,call rate,call price,call cost,call charge,new rate,new price," +
		"current rate,current price,standard rate,flat rate,anytime,anytime rate,all day,all day rate," +
		"unit price,unit rate,unit cost,price per,minute rate,minute price,minute charge,minute cost,ppm,talk rate,rate cost,usage rate,usage charge," +
		"interval n rate,rate n,price n,rate interval n,next rate,subsequent rate,additional rate,price interval n,voice rate,termination rate," +
		"new cost,rate amount,amount,day evening,termination price,outbound rate,n rate,n price,effective rate",
	fieldPeak: "peak,peak rate,peak price,peak cost,day,day rate,day price,daytime,daytime rate,daytime price,weekday,weekday rate,business rate,business," +
		"peak charge,weekday price",
	fieldOffPeak: "off peak,off peak rate,off peak price,off peak cost,evening,evening rate,offpeakrate,off peak charge," +
		"evening price,eve,night,night rate,economy,evening weekend,evening and weekend,off peak and weekend,evening night,night price",
	fieldWeekend: "weekend,weekend rate,weekend price,weekend cost,weekends,week end,week end rate,weekend charge",
	fieldConnect: "connection,connection charge,connection fee,connection cost,connection price,connect,connect charge," +
		"connect fee,connect cost,setup,setup charge,setup fee,setup cost,setup price,set up,set up charge,set up fee," +
		"call setup,call setup fee,call setup charge,call setup cost,call set up charge,call set up fee,flagfall,flag fall,surcharge,rate surcharge,fixed fee," +
		"fixed charge,fixed cost,call fee,per call,per call fee,per call charge,per call cost,per call rate,per call price,per call surcharge,rate per call," +
		"price per call,fee per call,charge per call,cost per call,ppc,connection rate,session fee,session charge,initial charge,initial fee,init fee," +
		"init block,init charge,start charge,start fee,initiation fee,answer charge,answer fee,call connection fee,call connection charge,once off charge",
	fieldMinimum: "minimum charge,min charge,minimum cost,min cost,minimum price,min price,minimum fee,min fee,minimum call charge,min call charge," +
		"minimal cost,minimal charge,minimum call cost,least charge,minimum amount",
	fieldEitherMinimum: "minimum,min,minimal,billing minimum,billing min,minimum billing,min billing,call minimum,mini,rate minimum",
	fieldFirstRate: "first rate,interval 1 rate,rate 1,price 1,rate interval 1,price interval 1,first interval rate,initial rate,initial interval rate," +
		"first minute rate,first minute,first minute price,first price,initial price,1 rate,1 price",
	fieldFirst: "first interval,initial interval,initial,initial increment,first increment,minimum increment,min increment," +
		"interval 1,initial period,first period,minimum duration,min duration,min dur,minimum dur,minimum time,min time,minimal time," +
		"initial unit,minimum interval,min interval,first,initial time,first unit,increment 1,bill first,billing first,first billing,connect increment,init inc," +
		"init increment,min vol,minimum volume,init block time,minimum seconds,min seconds,minimum billing duration,billing increment 1,rate interval 1 duration," +
		"minimum billable duration,initial billing increment,first billing increment,minimum billing increment,initial block,first block,billing increment first," +
		"billing increment initial,initial billing,initial duration,first step,minimum call duration,min call duration,init,initial billing interval," +
		"first billing interval,minimal duration,call minimum duration,pulse 1,minimum billable time,min billing time,minimum billing time,first pulse,initial pulse",
	fieldStep: "sub interval,sub increment,subsequent interval,subsequent increment,subsequent,next interval," +
		"next increment,interval n,interval 2,additional increment,additional interval," +
		"recurring interval,recurring increment,next period,subsequent period,step,next,sub,next unit,subsequent unit,increment 2,increment n,bill next," +
		"billing next,next billing,talk increment,bill increment,billing increment 2,billing increment n,billing increment next,billing increment subsequent," +
		"subsequent billing increment,next billing increment,additional billing increment,next block,subsequent block,additional block,block min duration,next step," +
		"further increment,further interval,second interval,second increment,subsequent billing,additional unit,subsequent duration,next duration," +
		"subsequent billing interval,next billing interval,pulse 2,pulse n,next pulse,subsequent pulse,recurring billing increment,sub sequent increment",
	fieldIncrements: "bill incr,takt,taktung,increment,increments,incr,inc,incs,billing increment,billing increments,billing incr,billing inc,billing,interval,intervals,billing interval," +
		"billing intervals,billing unit,billing units,billing terms,pulse,pulses,rounding,rounding rule,rounding rules,charging increment,charging interval," +
		"rate increment,charge period,billing block,billing step,billing period,charging unit,charging period,payment terms,billing rule,billing rules," +
		"min incr,min inc,minimum increment next,first next,initial subsequent,minimum incr,billing cycle,billing type,call increment,granularity," +
		"billing granularity,charging,initial next,interval 1 n,1 n,billing method,billing scheme,rate interval",
	fieldPeriod:   "rate period,rate unit,price unit,price period,rate per,charge unit,priced per,price basis,rate basis,unit seconds",
	fieldStart:    "gültig ab,start,start date,start time,effective,effective date,effective from,effective start,valid from,from,from date,date from,begin date,activation date,effective as,date,date start,valid,effective date from,start from,validity start,valid since,activation,in force from,effective time",
	fieldEnd:      "gültig bis,end,end date,end time,expiry,expiry date,expires,expiration date,expire date,valid to,valid until,valid till,until,till,to,to date,date to,effective to,effective till,effective until,effective end,discontinue date,date end,stop date,stop time,validity end,expiration,expire,valid thru,valid through,effective thru",
	fieldStatus:   "status,rate status,row status,code status,state,enabled,active,action",
	fieldCurrency: "währung,devise,moneda,currency,currency code,ccy,curr,rate currency,price currency,currency iso",
	fieldShort:    "short,short number,short code",
}

// Files of billing systems hold both what a call is sold for and what it is bought for.
var sellingWords = map[field]string{
	fieldRate:    "rate initial,sell rate,selling rate,sell price,selling price,retail rate,retail price,sale price,sale rate,sell,sell cost,customer rate,customer price,sales rate,sales price",
	fieldFirst:   "initblock,sell initial increment,sell init block",
	fieldStep:    "billingblock,sell increment,sell billing block",
	fieldConnect: "connectcharge,sell connection charge,sell connect charge,sell setup fee",
	fieldMinimum: "sell minimum charge",
}

var buyingWords = map[field]string{
	fieldRate: "buy rate,buying rate,buy price,buying price,cost rate,cost price,purchase rate,purchase price,wholesale rate,wholesale price,internal rate,internal rate cost," +
		"internal cost,pvt rate cost,buy,buy cost,vendor rate,vendor price,supplier rate,supplier price,carrier rate,carrier price",
	fieldFirst:   "buy rate init block,buyrateinitblock,buy initial increment,buy init block,buy rate initblock",
	fieldStep:    "buy rate increment,buy increment,buy billing block,buy rate billing block",
	fieldConnect: "internal surcharge,pvt rate surcharge,internal rate surcharge,buy connection charge,buy connect charge,buy connect cost,buy setup fee",
}

// nothingWords are columns that change a bill in a way that a price here has no place for.
var nothingWords = []struct {
	names, why string
	says       []string
}{
	{
		"grace,grace time,grace period,grace volume,rate nocharge time,nocharge time,no charge time,free time,minimal time charge,minimal time to charge," +
			"minimum time to charge,minimal time for charge,minimal time buy,additional grace,additional time,included seconds,free seconds,free minutes,included minutes,grace secs", "time that is not charged", nil,
	},
	{
		"disconnect charge,disconnect fee,disconnection charge,disconnection fee,additional block charge,step charge,step charge a,step charge b,step charge c,stepchargea," +
			"charge a,charge b,charge c,time charge a,time charge b,time charge c,billing block a,billing block b,billing block c,disconnect charge after," +
			"access charge,access fee,daily fee,monthly fee,origin surcharge,origin based surcharge,emergency surcharge", "a further charge", nil,
	},
	{
		"origin,origins,origin code,origin codes,origination,originations,origination prefix,origination prefixes,originating prefix,originating prefixes,origin prefix,origin prefixes," +
			"origination digits,source,source prefix,src code,src codes,src code name,src prefix,orig code,orig prefix,calling prefix,cli,caller id,caller id numbers,origin country," +
			"origination country,from country,a number,origin group,origin zone,rating origin", "a price for some callers only", []string{"all", "any", "*", "world", "worldwide", "every", "everywhere"},
	},
	{
		"time profile,time period,time of day,days,day of week,days of week,weekdays,time band,rate period name,timing,timings,time class,time range", "a price for some hours only",
		[]string{"all", "any", "*", "always", "*any", "24x7", "24/7", "anytime", "all time", "all day", "default", "flat"},
	},
	{"endtime,end time of week", "a price for some hours only", []string{"10079"}},
	{"starttime,start time of week,group interval start", "a price for some hours only", []string{"0s"}},
	{"announce time correction", "time that is counted otherwise", []string{"1", "1.0", "1.00", "1.000"}},
	{"direction,lcr direction,call direction", "a price for some calls only", []string{"outbound", "out", "outgoing", "termination", "terminating", "both", "any", "all"}},
	{"discount,discount rate,discounts,tax,taxes,vat,vat rate,tax rate,markup,mark up,margin,percent,percentage,surcharge percent,commission,fee percent,usf", "a part of the price", []string{"0%", "0.00%", "0.0%"}},
	{"connect rate", "either a charge for each call or the price of its first increment, and nothing tells which", nil},
	{"volume,commitment,tier,volume from,volume to,min volume,package,package offer,bundle,free package", "a price under a condition", nil},
	{"blocked,closed,deleted,disabled,discontinued,barred", "rows that are not in force", []string{"open"}},
}

// unusedWords change no bill.
const unusedWords = "id,no,nr,row,index,line,iso,iso code,iso country,iso country code,country iso,country iso code,iso2,iso3,alpha 2,alpha 3,notes,note,comments,remarks,remark,change," +
	"changes,change type,rate change,price change,change indicator,change code,old rate,old price,previous rate,previous price,last rate,last price,previous,difference,delta,percent change,change percent," +
	"asr,acd,pdd,ner,quality,quality level,type,rate type,number type,phone type,route type,destination type,service type,carrier,carrier id,carrier name,vendor,vendor id,vendor name,supplier,supplier id,gateway id,trunk,trunk id,trunk name,id trunk,gateway," +
	"provider,provider id,operator,network,network name,mcc,mnc,mccmnc,mcc mnc,tadig,lcr profile,profile,weight,priority,preference,preferred,routes,options,random,level,updated,updated at,created,created at," +
	"modified,date added,date modified,last updated,last update,rate version,rate id,rate deck id,ratedeck id,ratedeck name,account id,accountid,rate suffix,rate plan,rateplan,plan,tariff name,tariff plan," +
	"price list,pricelist,service,traffic type,strip,prepend,is merged,continent,product name,product code,reliability,lcr,sms,announcement,issue date,notice,notice date,last modified,uuid,lcr uuid,carrier uuid"

// billWords are words of names that speak of money or time: a column that has one and is not known may change a bill.
var billWords = wordSet("rate rates price prices pricing cost costs charge charges charged fee fees surcharge tariff amount increment increments incr interval intervals min minimum " +
	"maximum max minute minutes second seconds sec secs duration billing bill billed block unit units pulse round rounding connect connection setup " +
	"free grace tax vat discount markup percent origin origination originating source eea eu row roaming surcharges peak off weekend night day hour hours period currency fx " +
	"commit volume tier ppm ppc pence cents per first next initial subsequent sub step rebate bonus valid effective start end expiry expires from until to date prefix code dial")

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}
