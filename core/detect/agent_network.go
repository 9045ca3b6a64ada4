package detect

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Place is the network that an address counts as: its AS where that is known ("AS64500"), so that a phone that roams in
// one network stays in one place; else, and in hosting networks, where neighbours are strangers, its /24 or /56
// ("192.0.2.0/24"). "" is no address.
func Place(addr netip.Addr, asn uint32) string {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return ""
	}
	if asn != 0 && !Hosting(asn, "") {
		return "AS" + strconv.FormatUint(uint64(asn), 10)
	}
	return Net(addr).String()
}

// Net is the network that one customer of an access provider usually has, or shares: /24 or /56.
func Net(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := 24
	if addr.Is6() {
		bits = 56
	}
	p, _ := addr.Prefix(bits) // fails for no address alone, and is no network then
	return p
}

// Hosting says that a network lets servers, where telephones seldom are and attackers often: by its AS number, or by the
// name of its holder, either of which may be unknown (0, "").
func Hosting(asn uint32, network string) bool {
	if _, found := slices.BinarySearch(hostingASNs, asn); found {
		return true
	}
	return network != "" && namesHosting(network)
}

// namesHosting looks for whole words, for "Colorado Telephone" has no colo.
func namesHosting(name string) bool {
	words := strings.FieldsFunc(strings.ToLower(name[:min(len(name), maxAgent)]), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range words {
		if hostingWords[w] || strings.HasSuffix(w, "hosting") {
			return true
		}
		if w == "data" && i+1 < len(words) && (strings.HasPrefix(words[i+1], "center") || strings.HasPrefix(words[i+1], "centre")) {
			return true
		}
	}
	return false
}

// hostingWords are in names of companies that let servers, or are such names.
var hostingWords = map[string]bool{
	"hosting": true, "hosted": true, "webhost": true, "vps": true, "vds": true, "cloud": true, "clouds": true, "cloudcomputing": true,
	"server": true, "servers": true, "dedicated": true, "datacenter": true, "datacenters": true, "datacentre": true, "datacentres": true,
	"colo": true, "colocation": true, "colocrossing": true, "baremetal": true,
	"amazon": true, "aws": true, "digitalocean": true, "hetzner": true, "ovh": true, "linode": true, "vultr": true, "choopa": true,
	"leaseweb": true, "contabo": true, "m247": true, "scaleway": true, "datacamp": true, "upcloud": true, "kamatera": true,
	"hostinger": true, "netcup": true, "ionos": true, "softlayer": true, "rackspace": true, "quadranet": true, "psychz": true,
	"hivelocity": true, "servermania": true, "worldstream": true, "serverius": true, "aeza": true, "hostkey": true, "selectel": true,
	"namecheap": true, "godaddy": true, "hostwinds": true, "interserver": true, "ramnode": true, "frantech": true, "racknerd": true,
}

// hostingASNs are AS numbers of networks that mainly let servers, ascending, as known in 2026. It is made by hand: what is
// missing is found by its name, or counts as an ordinary network.
var hostingASNs = []uint32{
	3842,   // RamNode
	6724,   // Strato
	8075,   // Microsoft Azure
	8100,   // QuadraNet
	8560,   // IONOS
	8972,   // PlusServer
	8987,   // Amazon
	9009,   // M247
	9123,   // Timeweb
	12876,  // Scaleway
	14061,  // DigitalOcean
	14618,  // Amazon
	15395,  // Rackspace
	16265,  // Leaseweb
	16276,  // OVH
	16509,  // Amazon
	19994,  // Rackspace
	20454,  // Secured Servers
	20473,  // Vultr
	20773,  // Host Europe
	20860,  // Iomart
	22612,  // Namecheap
	24940,  // Hetzner
	25697,  // UpCloud
	26347,  // DreamHost
	26496,  // GoDaddy
	27357,  // Rackspace
	28753,  // Leaseweb
	29169,  // Gandi
	29222,  // Infomaniak
	29802,  // Hivelocity
	30058,  // FDCservers
	30633,  // Leaseweb
	31034,  // Aruba
	31898,  // Oracle Cloud
	32244,  // Liquid Web
	32475,  // SingleHop
	33070,  // Rackspace
	33387,  // Nocix
	35913,  // DediPath
	36007,  // Kamatera
	36351,  // IBM Cloud
	36352,  // ColoCrossing
	37963,  // Alibaba Cloud
	40021,  // Contabo
	40676,  // Psychz
	43350,  // NForce
	44477,  // Stark Industries
	45090,  // Tencent Cloud
	45102,  // Alibaba Cloud
	46606,  // Unified Layer
	46844,  // Sharktech
	47583,  // Hostinger
	49505,  // Selectel
	49981,  // WorldStream
	50340,  // Selectel
	50673,  // Serverius
	51167,  // Contabo
	51396,  // Pfcloud
	53667,  // FranTech
	54290,  // Hostwinds
	55286,  // ServerMania
	55990,  // Huawei Cloud
	57043,  // Hostkey
	59253,  // Leaseweb
	60068,  // Datacamp
	60781,  // Leaseweb
	61157,  // PlusServer
	62567,  // DigitalOcean
	63473,  // HostHatch
	63949,  // Linode
	132203, // Tencent Cloud
	136907, // Huawei Cloud
	197540, // netcup
	197695, // REG.RU
	198610, // Beget
	199524, // G-Core
	200019, // AlexHost
	200350, // Yandex Cloud
	200651, // FlokiNET
	202053, // UpCloud
	202425, // IP Volume
	204428, // SS-Net
	210644, // Aeza
	211252, // Delis
	212238, // Datacamp
	213230, // Hetzner Cloud
	216246, // Aeza
	395954, // Leaseweb
	396982, // Google Cloud
	398101, // GoDaddy
}
