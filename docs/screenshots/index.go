package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"ringfence/core/detect"
	"ringfence/flow/notify"
)

const head = `# Notices

<!-- Written by: go run ./docs/screenshots. Change the words there, or in core/detect and flow/notify/templates. -->

What Ringfence tells people, over mail and webhooks: what each kind is for, who gets it, and how it looks, on a wide screen and on a phone. Every mail has a
text part with the same words. The subjects are samples; ` + "`ringfence notice preview KIND`" + ` shows any of them in full.

Mails fetch nothing from elsewhere, have no tracking, and follow the reader's light or dark colours. Opening a link changes nothing, since mail scanners open
links: it shows [a page with one button](#the-pages-behind-the-links).

`

// own are the kinds that are no findings: why they are sent.
var own = map[notify.Kind]string{
	notify.NewDevice:       "A line's login was used by a phone, or at a place, that was not seen before. Most often that is the owner; when it is not, this mail comes before the bill. A firmware update, or another address in the same network, is no new phone. Each line can ask for new User-Agents only, or for none of these.",
	notify.LoginHeld:       "A line's right password, one that could be guessed, came from an address that is refused: the owner says whether it is theirs. [protection.md](protection.md#new-places-while-a-line-is-guessed-at) has the rules.",
	notify.LoginProbation:  "A login at a new place was admitted although somebody is guessing the line's password: it is beyond guessing, or the owner admitted it. The mail says what the limits are.",
	notify.LineLocked:      "Somebody, or a rule, locked a line. Its phones can still call emergency numbers. The mail says what becomes of paid calls in progress: they end when the time already paid for runs out, within a minute; they were cut at once; or they go on and may still cost up to the caps. In a webhook, `evidence.calls` is `end`, `cut` or `keep`.",
	notify.PasswordChanged: "A line's password was replaced. If that was not the owner's wish, somebody else holds the account.",
	notify.RequestMade:     "A customer asks staff to loosen a setting. Both sides are told, so that a wish is not overlooked, and one that nobody of the customer's has is noticed.",
	notify.RequestAnswered: "Staff have granted or refused a request. Both sides are told, with the note of the answer.",
	notify.Digest:          "What was held back: kinds that the person wants once an hour, and all that came after ten notices within an hour.",
	notify.Test:            "Sent by hand, to see whether mail and webhooks arrive.",
}

// pages are the scenes of the answer pages.
var pages = []struct{ name, text string }{
	{"answer-not-mine", "“Not me”: it says what pressing the button will do."},
	{"answer-done", "What was done."},
	{"answer-mine", "“That was me.”"},
	{"answer-admit", "A login that waits: address, network and device, and what the button will do."},
	{"answer-admitted", "It was admitted."},
	{"answer-off", "Switching a kind off. Mail programs that unsubscribe with one click (RFC 8058) post here without showing the page."},
	{"answer-used", "A link works once. Afterwards it shows what it did."},
	{"answer-expired", "After a week a link has expired."},
	{"answer-unknown", "A link that was cut off on the way, or is not ours."},
}

// index is docs/notices.md.
func index(w *world) []byte {
	var b bytes.Buffer
	b.WriteString(head)
	infos := notify.Kinds()
	fmt.Fprintln(&b, "| kind | title | who gets it | comes always | asks “was it you?” |\n|---|---|---|---|---|")
	for _, i := range infos {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s | %s |\n", i.Kind, i.Kind, i.Title, whom(i), yes(i.Critical), yes(i.Answers))
	}
	fmt.Fprintln(&b, "\n“Comes always”: a wish to have this kind off is not followed, because it costs money or the account. All others can be had at once, in a digest, or not at all.")
	for n, i := range infos {
		describe(&b, i, w.mails[n])
	}
	fmt.Fprint(&b, "\n## The pages behind the links\n")
	for _, p := range pages {
		fmt.Fprintf(&b, "\n%s\n\n%s", p.text, pictures(p.name, strings.TrimSuffix(p.text, ".")))
	}
	fmt.Fprint(&b, "\nIn dark colours:\n\n", picture("answer-not-mine-phone-dark", "The page of “not me” in dark colours", 240), " ", picture("hosting-login-phone-dark", "A mail in dark colours", 240), "\n")
	webhooks(&b, w.hook, w.base)
	return b.Bytes()
}

func describe(b *bytes.Buffer, i notify.KindInfo, m notify.Message) {
	fmt.Fprintf(b, "\n## %s\n\n**%s.** ", i.Kind, i.Title)
	if k, ok := detect.ParseKind(string(i.Kind)); ok {
		fmt.Fprintln(b, k.Meaning())
	} else {
		fmt.Fprintln(b, own[i.Kind])
	}
	fmt.Fprintf(b, "\nSubject: “%s”\n\n%s", m.Subject, pictures(string(i.Kind), "The mail “"+i.Title+"”"))
}

func whom(i notify.KindInfo) string {
	var out []string
	if i.Owner {
		out = append(out, "owner")
	}
	if i.Desk {
		out = append(out, "fraud desk")
	}
	switch i.Kind {
	case notify.Digest:
		return "anyone who has some waiting"
	case notify.Test:
		return "whom it is sent to"
	}
	return strings.Join(out, ", ")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func picture(file, alt string, width int) string {
	return fmt.Sprintf(`<img src="images/mail/%s.png" width="%d" alt="%s">`, file, width, alt)
}

func pictures(name, alt string) string {
	return picture(name+"-wide", alt+", on a wide screen", 560) + " " + picture(name+"-phone", alt+", on a phone", 240) + "\n"
}

// webhooks says what receivers of webhooks must know.
func webhooks(b *bytes.Buffer, m notify.Message, base string) {
	var sample bytes.Buffer
	if json.Indent(&sample, m.JSON, "", "  ") != nil {
		sample.Write(m.JSON)
	}
	shown := strings.ReplaceAll(sample.String(), base, "https://calls.example.net")
	fmt.Fprintf(b, `
## Webhooks

A webhook is a POST of JSON over HTTPS:

%s
%s and %s tell apart lines and customers that have had one name, [one after the other](operating.md#names-that-are-used-again).

The request is signed after RFC 9421: %s names the key (%s) and the algorithm, %s, and covers
method, host, path, query, %s (RFC 9530, SHA-256 of the body), %s and %s. A receiver should

1. check the digest against the body, and the signature with the provider's public key: any library of RFC 9421 does, and so does %s, to be copied into a program in Go;
2. refuse what is older than %s says, or a nonce that it has seen;
3. treat a second request with the same %s as the same notice: after a lost answer Ringfence sends it again.

Any 2xx takes the notice. 408, 425, 429 and 5xx are tried again, with growing pauses; other 4xx, 301 and 308 are not, and the notice is marked as bounced. No
redirect is followed.
A customer's webhook must be at a public address.
`, "```json\n"+shown+"\n```\n", code("line_identity"), code("account_identity"), code("Signature-Input"), code("keyid"), code("ed25519"), code("Content-Digest"), code("Content-Type"), code("Idempotency-Key"),
		code("docs/receiver/receiver.go"), code("expires"), code("Idempotency-Key"))
}

func code(s string) string { return "`" + s + "`" }
