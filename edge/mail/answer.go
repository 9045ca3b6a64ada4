package mail

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/textproto"
	"strings"

	"ringfence/flow/notify"
)

// maxWords bounds how much of what a server says goes into an error.
const maxWords = 300

// answer makes an error of what came back at a stage of one message.
func answer(ctx context.Context, stage string, err error) error {
	var said *textproto.Error
	if !errors.As(err, &said) {
		return cause(ctx, "the mail server, at "+stage, err)
	}
	text := fmt.Sprintf("the mail server answered %d at %s: %s", said.Code, stage, clean(said.Msg, maxWords))
	if permanent(said.Code) {
		return fmt.Errorf("%w: %s", notify.ErrPermanent, text)
	}
	return errors.New(text)
}

// permanent says whether a code refuses this message for good. Codes about our login (RFC 4954) and commands that the
// server does not take now are the operator's to put right, and no reason to lose a notice.
func permanent(code int) bool {
	switch code {
	case 500, 502, 503, 530, 534, 535, 538:
		return false
	}
	return code >= 500 && code < 600
}

// setup makes an error of what failed before any message: to be tried again, whatever the code.
func setup(ctx context.Context, stage string, err error) error {
	var said *textproto.Error
	if !errors.As(err, &said) {
		return cause(ctx, "the mail server, at "+stage, err)
	}
	return fmt.Errorf("the mail server answered %d at %s: %s", said.Code, stage, clean(said.Msg, maxWords))
}

// cause tells the end of ctx from a fault of the network: when ctx ends, the connection is closed under whoever reads.
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
