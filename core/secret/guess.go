package secret

import (
	"iter"
	"slices"
	"strconv"
	"strings"
)

// GuessList is one of the lists that attackers of SIP logins work through.
type GuessList uint8

// Lists.
const (
	GuessOwn      GuessList = iota // the line's own user name and number, whole and in parts
	GuessNumbers                   // short and plain numbers
	GuessDefaults                  // what phones and PBXs come with
	GuessCommon                    // the passwords that people choose most
	GuessSeasons                   // seasons and years
	NumGuessLists
)

// String names a list in a sentence such as "they are trying …".
func (l GuessList) String() string {
	if l >= NumGuessLists {
		return "unknown"
	}
	return [...]string{"the line's own number", "plain numbers", "default passwords", "common passwords", "seasons and years"}[l]
}

// Guesses are the few hundred passwords that are tried first on a SIP login: those of svcrack's and hydra's lists for
// voice, of published default passwords and of what people choose. They are not for judging passwords, which Check does
// far better, but to recognise an attacker's list by its answers. number is E.164 digits, "" is none; year is the running
// one. Each comes once; always in the same order.
func Guesses(user, number string, year int) iter.Seq2[string, GuessList] {
	return func(yield func(string, GuessList) bool) {
		own := ownGuesses(user, number)
		for i, g := range own {
			if !slices.Contains(own[:i], g) && !yield(g, GuessOwn) {
				return
			}
		}
		for _, l := range fixedGuesses {
			for _, g := range l.texts {
				if !slices.Contains(own, g) && !yield(g, l.of) {
					return
				}
			}
		}
		for _, g := range seasonGuesses(year) {
			if !slices.Contains(own, g) && !yield(g, GuessSeasons) {
				return
			}
		}
	}
}

// ownGuesses: of extension 1001, 1001 itself, twice, backwards, with what people hang on; of a number, its usual parts.
func ownGuesses(user, number string) []string {
	if len(user) > 40 || len(number) > 15 {
		user, number = user[:min(len(user), 40)], number[:min(len(number), 15)]
	}
	var out []string
	add := func(texts ...string) {
		for _, t := range texts {
			if t != "" {
				out = append(out, t)
			}
		}
	}
	if user != "" {
		add(user, user+user, reverse(user), user+"123", user+"1234", user+"!", user+"@", "0"+user, "00"+user, user+"0", user+"00",
			"sip"+user, "ext"+user, "pass"+user, "password"+user, "pw"+user, "voip"+user, "a"+user, strings.ToUpper(user), "secret"+user)
	}
	if number != "" {
		add(number, "+"+number, "00"+number, reverse(number))
		for _, n := range [...]int{4, 5, 6, 7, 8, 9, 10} {
			if len(number) > n {
				add(number[len(number)-n:])
			}
		}
		add("0" + number[min(2, len(number)):]) // national form of countries whose code has two digits
	}
	return out
}

// fixedGuesses are the lists that are the same for everybody; none has what one before it has.
var fixedGuesses = func() (lists []struct {
	of    GuessList
	texts []string
},
) {
	seen := map[string]bool{}
	for of, words := range [NumGuessLists][]string{
		GuessNumbers: numberGuesses(), GuessDefaults: strings.Fields(guessDefaults), GuessCommon: strings.Fields(guessCommon),
	} {
		var texts []string
		for _, w := range words {
			if !seen[w] {
				seen[w] = true
				texts = append(texts, w)
			}
		}
		lists = append(lists, struct {
			of    GuessList
			texts []string
		}{GuessList(of), texts})
	}
	return lists
}()

// numberGuesses: the same digit over and over, and digits in order, of the lengths that phones ask for.
func numberGuesses() (out []string) {
	for d := byte('0'); d <= '9'; d++ {
		for _, n := range [...]int{4, 6, 8} {
			out = append(out, strings.Repeat(string(d), n))
		}
	}
	for n := 3; n <= 10; n++ {
		out = append(out, "1234567890"[:n])
	}
	return append(out, "4321", "54321", "654321", "87654321", "987654321", "0123", "01234", "012345", "1010", "1212", "1221", "2580",
		"123123", "121212", "112233", "101010", "102030", "159753", "147258", "147258369", "1000", "2000", "1001", "2001", "1313", "7890")
}

const guessDefaults = `
	admin Admin administrator admin123 admin1234 adminadmin root toor user guest operator support service default changeme ChangeMe
	secret Secret123 test test123 test1234 testing demo sip sipsip sip123 voip voip123 phone phone123 telephone extension ext ext123
	asterisk Asterisk asterisk123 freepbx elastix elastix456 trixbox issabel fusionpbx freeswitch cluecon ClueCon vicidial pbx pbx123
	mypbx 3cx 3cx123 kamailio opensips cisco Cisco cisco123 sipura linksys polycom spip 456 snom yealink grandstream gigaset fanvil
	htek aastra mitel 22222 avaya avaya123 siemens panasonic alcatel nortel audiocodes patton mediatrix sangoma digium tandberg
	huawei zte zyxel draytek tplink fritz 2n obihai linphone zoiper bria xlite baresip lifesize 888888 27238 craftpw
	amp109 amp111 p@ssw0rd P@ssw0rd passw0rd Passw0rd pass pass123 pass1234 s3cr3t letmein welcome welcome1
`

const guessCommon = `
	password Password password1 Password1 password123 Password123 Password1! Passwort passwort qwerty qwerty123 qwertyuiop qwerty1
	abc123 abcd1234 Abcd1234 abc12345 a1b2c3d4 aa123456 1q2w3e 1q2w3e4r 1q2w3e4r5t 1qaz2wsx 1qaz@WSX zaq12wsx qazwsx asdfgh asdf1234
	zxcvbn iloveyou monkey dragon football baseball master sunshine princess superman batman shadow michael jordan hello hello123
	hunter2 trustno1 starwars whatever freedom computer internet login welcome123 Welcome1 Welcome123 secret1 secret123 access
	access14 mustang charlie george liverpool arsenal chelsea london london1 letmein1 azerty motdepasse soleil hallo ficken
	contrasena qwe123 q1w2e3r4 zxc123 temp temp123 temppass office company business qweasd qweasdzxc google
`

// seasonGuesses: "Winter2026!" and its like, as those choose who must change a password every quarter.
func seasonGuesses(year int) (out []string) {
	for _, y := range [...]int{year, year - 1, year + 1} {
		full := strconv.Itoa(y)
		for _, s := range [...]string{"Spring", "Summer", "Autumn", "Winter"} {
			out = append(out, s+full, s+full+"!", strings.ToLower(s)+full)
		}
		out = append(out, full, "Welcome"+full, "Password"+full)
	}
	return out
}
