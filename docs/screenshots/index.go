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

These are all notices that Ringfence sends by mail and webhook: what each kind is for, who gets it, and how it looks on a wide screen and on a phone. Every mail has a
plain-text part with the same content. The subjects are samples; ` + "`ringfence notice preview KIND`" + ` shows any of them in full.

Mails load nothing from elsewhere, do not track the reader, and follow the reader's light or dark colours. Opening a link changes nothing, because mail scanners open
links: it shows [a page with one button](#the-pages-behind-the-links).

`

// own are the kinds that are not findings, with why they are sent.
var own = map[notify.Kind]string{
	notify.NewDevice:       "A line's login was used by a phone, or at a place, that was not seen before. Usually it is the owner's; if not, this mail comes before the bill. A firmware update, or another address in the same network, does not count as a new phone. Each line can ask for new User-Agents only, or for none of these mails.",
	notify.LoginHeld:       "The right password of a line, but one that could be guessed, came from an address that is refused. The owner says whether the address is theirs. See [the rules](protection.md#new-places-during-guessing).",
	notify.LoginProbation:  "A login at a new place was admitted although somebody is guessing the line's password: the password is beyond guessing, or the owner admitted the login. The mail states the limits.",
	notify.LineLocked:      "Somebody, or a rule, locked a line. Its phones can still call emergency numbers. The mail says what happens to paid calls in progress: they end when their paid time ends, within a minute; they were ended immediately; or they continue and may still cost up to the caps. In a webhook, `evidence.calls` is `end`, `cut` or `keep`.",
	notify.PasswordChanged: "A line's password was replaced. If the owner did not want this, somebody else controls the account.",
	notify.ForwardSet:      "A line forwards calls from now on, or to another number. One of the customer's people, staff, or a phone that dialled a code may have set it. The mail says which calls go where, who set it, and from which address if by a code. Ending a forward needs no notice. “Not me” ends the line's forwards, calls off those that wait, and locks it. Several changes by the same person within ten seconds are one mail. See [forwarding](forwarding.md).",
	notify.RequestMade:     "A customer asks staff to loosen a setting. Both sides are notified, so that staff do not overlook the request, and the customer notices one that nobody there made.",
	notify.ChangeWaiting:   "The customer's own people loosened something, and it waits as long as the owner chose. Every contact is notified, with the note that the owner left, and any of the people may call it off.",
	notify.AccessChanged:   "Somebody was added or removed who may sign in, a person's password, passkeys, app of codes, recovery codes, role or address changed, a token was made, a customer's own people added, changed or removed a contact, or the wait for what loosens was changed. A thief who got in makes a way back, and sees to it that nobody hears of it: so the contacts are notified, the person at their own address, and the address that is no contact's any more.",
	notify.NumbersChanged:  "A number was verified, by a code or by evidence that staff recorded, so that the customer's lines may present it; or it was removed. A thief who got in may verify a number of his own, to call in its name. See [caller identity](identity.md).",
	notify.CaseCredit:      "A credit note was booked for a case: calls that were found free, what lies above cost price, what a carrier granted, or a sum that was given back.",
	notify.Instalment:      "A week before an instalment is due, the day after if it has not come, and when the plan has ended because one was missed.",
	notify.RequestAnswered: "Staff have granted or refused a request. Both sides are notified, with the note from staff.",
	notify.Bill:            "A bill was issued. It is attached as a PDF. It goes to the contacts whose preference for `bill` is `now` or `digest`; if there are none, to all contacts; if none of them has a mail address, to the owner's.",
	notify.BillReminder:    "Something of a bill is unpaid on a day that `billing.reminders` names. It says what is left to pay without what is in dispute and what a plan lets be paid later. It goes where bills go, and has the bill attached.",
	notify.Digest:          "Notices that waited: kinds that the person wants once an hour, and everything after ten notices within an hour.",
	notify.Test:            "Sent by hand, to check that mail and webhooks arrive.",
}

// pages are the scenes of the answer pages.
var pages = []struct{ name, text string }{
	{"answer-not-mine", "“Not me”: the page says what the button will do."},
	{"answer-done", "What was done."},
	{"answer-mine", "“That was me.”"},
	{"answer-admit", "A held login: address, network and device, and what the button will do."},
	{"answer-admitted", "It was admitted."},
	{"answer-off", "Switching a kind of notice off. Mail programs that unsubscribe with one click (RFC 8058) do so without showing the page."},
	{"answer-used", "A link works once. After that, it shows what it did."},
	{"answer-expired", "A link expires after a week."},
	{"answer-unknown", "A link that was shortened on the way, or is not ours."},
}

// index is docs/notices.md.
func index(w *world) []byte {
	var b bytes.Buffer
	b.WriteString(head)
	infos := notify.Kinds()
	fmt.Fprintln(&b, "| kind | title | who gets it | always sent | asks “was it you?” |\n|---|---|---|---|---|")
	for _, i := range infos {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s | %s |\n", i.Kind, i.Kind, i.Title, whom(i), yes(i.Critical), yes(i.Answers))
	}
	fmt.Fprintln(&b, "\n“Always sent”: this kind cannot be switched off, because money or the account is at stake. A contact can have all others immediately, in a digest, or not at all.")
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
		return "anyone with waiting notices"
	case notify.Test:
		return "the address given"
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

// webhooks writes what receivers of webhooks must know.
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
%s and %s distinguish lines and customers that had [the same name at different times](operating.md#names-that-are-used-again).

The request is signed according to RFC 9421: %s names the key (%s) and the algorithm, %s, and covers
method, host, path, query, %s (RFC 9530, SHA-256 of the body), %s and %s. A receiver should

1. check the digest against the body, and the signature with the provider's public key: with any library for RFC 9421, or with %s, which you can copy into a Go program;
2. refuse a request that is older than %s says, or a nonce that it has seen;
3. treat a second request with the same %s as the same notice: if the response is lost, Ringfence sends it again.

Any 2xx accepts the notice. After 408, 425, 429 and 5xx it is sent again, with increasing delays; after other 4xx, 301 and 308 it is not, and is marked as bounced. Redirects
are not followed.
A customer's webhook must be at a public address.
`, "```json\n"+shown+"\n```\n", code("line_identity"), code("account_identity"), code("Signature-Input"), code("keyid"), code("ed25519"), code("Content-Digest"), code("Content-Type"), code("Idempotency-Key"),
		code("docs/receiver/receiver.go"), code("expires"), code("Idempotency-Key"))
}

func code(s string) string { return "`" + s + "`" }
