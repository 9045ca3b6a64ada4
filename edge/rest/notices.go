package rest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/edge/rest/api"
	"ringfence/flow/notify"
)

var _ = serves(func(s *Server) {
	const path, tag = "/v1/notices", "notices"
	listed[api.Notice](s, staged(s.notices, s.listNotices))
	shown[api.Notice](s, staged(s.notices, s.getNotice))
	route(s, op(http.MethodPost, path+"/{id}/resend", "resend-notice", tag, "Send a notice again"), staged(s.notices, s.resendNotice))
	test := op(http.MethodPost, path+"/test", "test-notice", tag, "Send a test to a mail address or webhook")
	test.DefaultStatus = http.StatusAccepted
	route(s, test, staged(s.notices, s.testNotice))
	route(s, op(http.MethodGet, path+"/kinds", "list-notice-kinds", tag, "List the kinds of notice"), s.noticeKinds)
	route(s, op(http.MethodGet, path+"/kinds/{kind}", "preview-notice", tag, "Show a kind of notice with sample data"), staged(s.notices, s.previewNotice))
	route(s, op(http.MethodGet, "/v1/webhook-key", "get-webhook-key", tag, "Show the public key that verifies webhooks"), need(s.d.HookKey != nil, "the key of webhooks", s.webhookKey))
})

func (s *Server) notices() (*notify.Notifier, error) {
	return stage(s.d.Notices, "the list of notices")
}

func (s *Server) listNotices(ctx context.Context, n *notify.Notifier, in *struct {
	api.NoticeFilter
	Below
},
) (out api.List[api.Notice], err error) {
	if in.Kind != "" && !isNoticeKind(in.Kind) {
		return out, invalid("kind", in.Kind, noticeKinds())
	}
	line, customer, err := s.filters(ctx, in.Line, in.Customer)
	if err != nil {
		return out, err
	}
	limit := min(in.Limit, maxPage-1) // notify gives no more than maxPage, and one more than the page is asked for
	f := notify.Filter{Line: line, Account: customer, Kind: in.Kind, State: in.State, Before: in.Before, Limit: limit + 1}
	if own(ctx) != "" { // notices that staff alone got about a customer are not for its people
		sent, err := n.SentTo(ctx, customer, f)
		return list(views(sent, noticeView), limit, func(x *api.Notice) string { return strconv.FormatInt(x.ID, 10) }), err
	}
	all, err := n.List(ctx, f)
	return list(views(all, noticeView), limit, func(x *api.Notice) string { return strconv.FormatInt(x.ID, 10) }), err
}

// noticeKinds names them all, for the answer to a slip.
func noticeKinds() string {
	var names []string
	for _, i := range notify.Kinds() {
		names = append(names, string(i.Kind))
	}
	return "a kind of notice: " + strings.Join(names, ", ")
}

func isNoticeKind(kind string) bool {
	return slices.ContainsFunc(notify.Kinds(), func(i notify.KindInfo) bool { return string(i.Kind) == kind })
}

func noticeView(v *notify.View) api.Notice {
	out := api.Notice{
		ID: v.ID, Kind: v.Kind, Title: v.Title, Line: account.Handle(v.Line), LineID: account.FullIdentity(v.Line),
		Customer: account.Handle(v.Account), Account: account.FullIdentity(v.Account), At: v.At, State: v.State, Deliveries: []api.Delivery{},
	}
	for _, d := range v.Deliveries {
		out.Deliveries = append(out.Deliveries, api.Delivery{
			Person: d.Person, Channel: d.Channel, Address: d.Address, State: string(d.State), Tries: d.Tries, Next: d.Next, Sent: d.Sent,
			Error: d.Error, MessageID: d.Ref,
		})
	}
	return out
}

func (s *Server) getNotice(ctx context.Context, n *notify.Notifier, in *api.NoticeID) (api.NoticeDetail, error) {
	return s.notice(ctx, n, in.ID)
}

func (s *Server) notice(ctx context.Context, n *notify.Notifier, id int64) (api.NoticeDetail, error) {
	x, err := n.Show(ctx, id)
	if err != nil {
		return api.NoticeDetail{}, s.about(err, "notice", strconv.FormatInt(id, 10))
	}
	return api.NoticeDetail{Notice: noticeView(&x.View), Subject: x.Subject, Text: x.Text, HTML: x.HTML}, nil
}

func (s *Server) resendNotice(ctx context.Context, n *notify.Notifier, in *api.NoticeResend) (out api.Notice, err error) {
	as, err := n.Resend(ctx, in.ID, in.Body.Person, by(ctx))
	if errors.Is(err, notify.ErrNotFound) {
		if _, gone := n.Show(ctx, in.ID); gone == nil {
			return out, newProblem(http.StatusNotFound, api.ReasonNotFound, "the notice has no recipient of that name; add a contact to its customer, or leave the person out")
		}
	}
	if err != nil {
		return out, s.about(err, "notice", strconv.FormatInt(in.ID, 10))
	}
	x, err := s.notice(ctx, n, as)
	return x.Notice, err
}

func (s *Server) testNotice(ctx context.Context, n *notify.Notifier, in *struct{ Body api.NoticeTest }) (out api.Notice, err error) {
	id, err := n.TestNotice(ctx, in.Body.To)
	if errors.Is(err, notify.ErrAddress) {
		return out, invalid("to", in.Body.To, "a mail address such as anna@example.com, or the https URL of a webhook")
	}
	if err != nil {
		return out, err
	}
	x, err := s.notice(ctx, n, id)
	return x.Notice, err
}

// meanings of the kinds that do not come from a finding.
var meanings = map[notify.Kind]string{
	notify.NewDevice:       "A line's login was used from a new place, or with a new phone.",
	notify.LoginHeld:       "A right but guessable password came from a new place; the owner can admit the phone.",
	notify.LoginProbation:  "A phone at a new place has logged in, with tight limits for a day.",
	notify.LineLocked:      "A line was locked: only emergency calls are possible.",
	notify.Restricted:      "Destinations were closed to a line, or to all lines of a customer, or are open again.",
	notify.PasswordChanged: "A line has a new password.",
	notify.ForwardSet:      "A line forwards calls from now on, or to another number.",
	notify.RequestMade:     "A customer asks for a looser setting; staff decide.",
	notify.RequestAnswered: "Staff granted or refused what a customer had asked for.",
	notify.AccessChanged:   "Somebody may sign in, or no longer, or with something else; a contact was added, changed or removed; or the wait for what loosens was changed.",
	notify.NumbersChanged:  "A number was verified, so that lines may present it, or is presented no more.",
	notify.CaseCredit:      "A credit was booked for a case.",
	notify.Instalment:      "An instalment of a plan is coming or late, or the plan has ended because one was missed.",
	notify.ChangeWaiting:   "A customer's own people loosened something: it waits, and can be called off.",
	notify.Digest:          "What happened since the last digest, in one message.",
	notify.Test:            "A test of a mail address or webhook.",
}

func (s *Server) noticeKinds(context.Context, *struct{}) (api.List[api.NoticeKind], error) {
	out := []api.NoticeKind{}
	for _, k := range notify.Kinds() {
		v := api.NoticeKind{
			Kind: string(k.Kind), Title: k.Title, Text: meanings[k.Kind], Owner: k.Owner, Desk: k.Desk, Critical: k.Critical, Answers: k.Answers,
		}
		if f, ok := detect.ParseKind(v.Kind); ok && v.Text == "" {
			first, _, more := strings.Cut(f.Meaning(), ". ")
			if v.Text = first; more {
				v.Text += "."
			}
		}
		out = append(out, v)
	}
	return api.List[api.NoticeKind]{Items: out}, nil
}

func (s *Server) previewNotice(_ context.Context, n *notify.Notifier, in *api.KindOfNotice) (out api.NoticePreview, err error) {
	mail, err := n.Preview(notify.Kind(in.Kind), account.Mail)
	if err != nil {
		return out, s.about(err, "kind of notice", in.Kind)
	}
	hook, err := n.Preview(notify.Kind(in.Kind), account.Webhook)
	if err != nil {
		return out, s.about(err, "kind of notice", in.Kind)
	}
	return api.NoticePreview{Kind: in.Kind, Subject: mail.Subject, Text: mail.Text, HTML: mail.HTML, JSON: hook.JSON}, nil
}

func (s *Server) webhookKey(context.Context, *struct{}) (api.WebhookKey, error) {
	return s.d.HookKey()
}
