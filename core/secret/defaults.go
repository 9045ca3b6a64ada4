package secret

import "strings"

// defaultPasswords are what phones, adapters, gateways and PBXs come with, or what their guides tell people to type. An
// attacker tries these before anything else. Lower case; Check compares without case, l33t and trailing digits too.
var defaultPasswords = makeSet(`
	0000 00000 000000 1111 11111 111111 1234 12345 123456 1234567 12345678 123456789 22222 4321 54321 654321 888888
	admin admin123 admin1234 adminadmin administrator root toor user guest operator supervisor service support tech
	password password1 passw0rd pass pass123 secret changeme changeit changeme_123 default letmein welcome
	test test123 test1234 testing demo sip sipsip sip123 voip voip123 phone telephone extension ext1000
	456 789 27238 craftpw 2222222 1000 2601hx
	amp109 amp111 asterisk asterisk123 elastix elastix456 elastix.2oo7 elastix.asteriskuser.2oo7 freepbx trixbox trixbox1
	issabel fusionpbx freeswitch clueon cluecon vicidial vicidialnow a2billing goautodial pbxnsip 3cx 3cx123 mypbx yeastar
	kamailio kamailiorw kamailioro opensips opensipsrw openser openserrw openserro
	cisco sipura linksys polycom spip snom yealink grandstream gigaset fanvil htek escene akuvox httpapi obihai
	audiocodes patton mediatrix innovaphone lancom sangoma sangomadefaultpassword digium switchvox beronet berofix
	siemens openstage unify alcatel alcatel123 avaya avaya123 mitel aastra nortel shoretel panasonic panasonic123 tandberg
	lifesize huawei admin@huawei zte zyxel draytek tplink fritz fritzfonbox speedport vodafone 2n algo cyberdata barix
	linphone zoiper bria xlite microsip baresip
`)

func makeSet(words string) map[string]struct{} {
	set := map[string]struct{}{}
	for _, w := range strings.Fields(words) {
		set[w] = struct{}{}
	}
	return set
}

// isDefault finds a default password, also as people think they improve it: "Yealink2024!", "Ch@ngeMe1".
func isDefault(text string) bool { return inSet(defaultPasswords, text) }

// inSet looks for a text as it is, without l33t, and without what was hung on at either end.
func inSet(set map[string]struct{}, text string) bool {
	const trimmings = "0123456789!?.,-_*#@$%&+="
	lower := strings.ToLower(text)
	i1, _ := unleet(lower, 'i')
	l1, _ := unleet(lower, 'l')
	stem := strings.Trim(lower, trimmings)
	stemI, _ := unleet(stem, 'i')
	stemL, _ := unleet(stem, 'l')
	for _, form := range [...]string{lower, i1, l1, stem, stemI, stemL} {
		if _, ok := set[form]; ok && form != "" {
			return true
		}
	}
	return false
}
