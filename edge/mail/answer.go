package mail

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"strings"

	"ringfence/flow/notify"
)

// maxWords bounds how much of what a server says goes into an error.
const maxWords = 300

// answer makes an error of what came back at a stage of one message.
func answer(ctx context.Context, stage string, err error) error {
	if said := (*textproto.Error)(nil); errors.As(err, &said) && permanent(stage, said) {
		return fmt.Errorf("%w: %w", notify.ErrPermanent, setup(ctx, stage, err))
	}
	return setup(ctx, stage, err)
}

// atMail is the stage at which a server judges us and not yet the person.
const atMail = "MAIL"

// about is the subject of an enhanced status code (RFC 3463) at the beginning of what a server says, and its detail.
var about = regexp.MustCompile(`^5\.(\d{1,3})\.(\d{1,3})\b`)

// aboutUs finds, in the words of servers that have no such codes, that it is us whom they do not take mail from.
var aboutUs = regexp.MustCompile(`(?i)\brelay|\bauthenticat`)

// permanent says whether an answer refuses this person or message for good. What is about us (our sender, our login by
// RFC 4954, relaying, policy: x.7.x), what a server says when it will say no more (554), and commands that it does not take
// are the operator's to put right, and no reason to lose a notice. Nor is a full mailbox: 552 (also RFC 5321, 4.5.3.1.10)
// and x.2.2, or a mail system that is out of order: x.3.x but for a message too big, x.4.x.
func permanent(stage string, said *textproto.Error) bool {
	if stage == atMail || said.Code < 500 || said.Code > 599 {
		return false
	}
	switch said.Code {
	case 500, 502, 503, 530, 534, 535, 538, 552, 554:
		return false
	}
	code := about.FindStringSubmatch(strings.TrimSpace(said.Msg))
	if code == nil {
		return !aboutUs.MatchString(said.Msg)
	}
	switch subject, detail := code[1], code[2]; subject {
	case "3":
		return detail == "4"
	case "4", "7":
		return false
	case "2":
		return detail != "2"
	}
	return true
}

// setup makes an error of what failed before any message: to be tried again, whatever the code.
func setup(ctx context.Context, stage string, err error) error {
	var said *textproto.Error
	if !errors.As(err, &said) {
		return cause(ctx, "the mail server, at "+stage, err)
	}
	return fmt.Errorf("the mail server answered %d at %s: %s", said.Code, stage, clean(said.Msg, maxWords))
}

// cause tells the end of ctx from a fault of the network: when ctx ends, the connection is closed under its reader.
func cause(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// redact takes the password out of what a server said, in every form in which it was sent. The error loses what it
// wraps, unless the text is clean.
func (s *Sender) redact(err error) error {
	password := s.o.Password.Reveal()
	text := err.Error()
	for _, form := range []string{
		password,
		base64.StdEncoding.EncodeToString([]byte(password)),
		base64.StdEncoding.EncodeToString([]byte("\x00" + s.o.User + "\x00" + password)),
	} {
		text = strings.ReplaceAll(text, form, s.o.Password.String())
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}
