package guard

import (
	"testing"
	"time"

	"ringfence/core/fact"
	"ringfence/core/policy"
	"ringfence/core/secret"
)

// withDomains makes the scene's lines known under their names with any domain.
func withDomains(s **scene) func(*Options) {
	return func(o *Options) {
		o.As = func(line string, user []byte) (*secret.HA1, []FormerHA1) {
			if line == "" {
				return nil, nil
			}
			now, was := secret.NewHA1(string(user), realm, secret.NewPassword(rightPass)), secret.NewHA1(string(user), realm, secret.NewPassword(formerPass))
			return &now, []FormerHA1{{HA1: &was, Until: (*s).at.Add(-time.Hour)}}
		}
	}
}

// Guards against a phone that sends user@domain being an unknown user: the right password logs in, a wrong one is a wrong one of
// that line, and a former one is a forgotten phone's.
func TestUserNameWithADomain(t *testing.T) {
	var s *scene
	s = newScene(t, withDomains(&s))
	for _, user := range []string{"2001@sip.example.org", "2001@192.0.2.1:5060", "2001@[2001:db8::1]", "2001@", "2001@a@b"} {
		if got := s.try(thief, user, rightPass); got.Outcome != Accept || got.Line != "2001" {
			t.Errorf("%s: %+v", user, got)
		}
	}
	for _, user := range []string{"9999@sip.example.org", "@sip.example.org", "@"} {
		if got := s.try(thief, user, rightPass); got.Outcome != Refuse || got.Reason != policy.BadCredentials || got.Line != "" {
			t.Errorf("%s: %+v", user, got)
		}
	}
	c := login("2001", rightPass, nonceFor(s.a, home, s.at), "MD5", 1)
	c.User = []byte("2001@sip.example.org") // the digest is over the plain name
	if got := s.a.Check(c, home, s.at); got.Outcome != Refuse {
		t.Errorf("a digest over another name: %+v", got)
	}

	s.tries(9, time.Second, office, "2001@example.org", formerPass)
	s.want(fact.KindLoginStale, 1)
	s.in(office, "2001")
	for _, user := range []string{"2001@a", "2001", "2001@b", "2001@c", "2001@a"} {
		s.tries(1, time.Second, cafe, user, wrongPass+user)
	}
	if f := s.want(fact.KindLoginLocked, 1); len(f) == 1 && f[0].line != "2001" {
		t.Errorf("%+v", f)
	}
	s.out(cafe, "2001")
	if got := s.try(cafe, "2001@a", rightPass); got.Outcome != Refuse {
		t.Errorf("locked out under one name and let in under another: %+v", got)
	}
	s.in(cafe, "2002")
}

// Names that there are not are counted without their domains too: a guesser must not see which names there are.
func TestUnknownNamesCountWithoutTheirDomains(t *testing.T) {
	s := newScene(t)
	for _, user := range []string{"9999@a", "9999@b", "9999@c", "9999", "9999@d"} {
		s.tries(1, time.Second, cafe, user, wrongPass+user)
	}
	if all := s.a.Locked(s.at); len(all) != 1 || all[0].User != "9999" {
		t.Errorf("%+v", all)
	}
}
