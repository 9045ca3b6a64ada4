package web

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ringfence/core/person"
	"ringfence/flow/desk"
)

// asked is a way to ask a route: an address, what is posted, and the operations of the table of who may do what that it needs.
type asked struct {
	path       string
	post       []string
	operations []string
}

// staffRoutes is every route of the staff. {finding} stands for one that there is.
func staffRoutes() map[string][]asked {
	acts := []asked{{"/staff/queue/{finding}", []string{"do", "note", "text", "x"}, []string{"note-finding"}}}
	for _, a := range []desk.Act{desk.Lock, desk.Unlock, desk.Ban, desk.Unban, desk.List, desk.Unlist, desk.FalseAlarm, desk.Theirs, desk.Close} {
		acts = append(acts, asked{"/staff/queue/{finding}", []string{"do", string(a)}, a.Operations()})
	}
	return map[string][]asked{
		"GET /staff":                      {{"/staff", nil, []string{"list-findings"}}, {"/staff?cause=203.0.113.0/24", nil, []string{"list-findings"}}},
		"POST /staff":                     {{"/staff", []string{"cause", "198.51.100.0/24"}, []string{"add-ban"}}},
		"GET /staff/live":                 nil, // a stream; it asks what its page asks
		"GET /staff/queue/{finding}":      {{"/staff/queue/{finding}", nil, []string{"get-finding"}}},
		"POST /staff/queue/{finding}":     acts,
		"GET /staff/search":               {{"/staff/search?q=2003", nil, []string{"list-customers", "list-lines", "list-cdrs", "list-findings"}}},
		"GET /staff/customers/{customer}": {{"/staff/customers/acme", nil, []string{"get-customer"}}, {"/staff/customers/acme?as=customer", nil, []string{"get-customer"}}},
		"GET /staff/resellers/{reseller}": {{"/staff/resellers/north", nil, []string{"get-reseller"}}},
		"GET /staff/lines/{line}":         {{"/staff/lines/2003", nil, []string{"get-line"}}},
		"GET /staff/rules":                {{"/staff/rules", nil, []string{"list-rules"}}},
		"GET /staff/rules/{rule}":         {{"/staff/rules/day", nil, []string{"list-rules"}}},
		"POST /staff/rules/{rule}":        {{"/staff/rules/day", []string{"do", "agree"}, []string{"agree-rule"}}},
		"GET /staff/trunks":               {{"/staff/trunks", nil, []string{"list-trunks"}}},
		"GET /staff/lists":                {{"/staff/lists", nil, []string{"list-bans", "list-lockouts", "list-hotlist"}}},
		"POST /staff/lists": {
			{"/staff/lists", []string{"do", "ban", "net", "198.51.100.1", "why", "x"}, []string{"add-ban"}},
			{"/staff/lists", []string{"do", "unban", "what", "198.51.100.1/32"}, []string{"remove-ban"}},
			{"/staff/lists", []string{"do", "release", "what", "2003"}, []string{"release-lockout"}},
			{"/staff/lists", []string{"do", "list", "numbers", "+25261", "hotwhy", "x"}, []string{"add-hot-number"}},
			{"/staff/lists", []string{"do", "unlist", "what", "+25261", "list", "desk"}, []string{"remove-hot-number"}},
		},
		"GET /staff/audit":  {{"/staff/audit", nil, []string{"list-journal"}}},
		"GET /staff/status": {{"/staff/status", nil, []string{"list-incidents"}}},
		"POST /staff/status": {
			{"/staff/status", []string{"do", "add", "title", "x", "text", "y"}, []string{"add-incident"}},
			{"/staff/status", []string{"do", "note", "incident", "1", "text", "y"}, []string{"note-incident"}},
			{"/staff/status", []string{"do", "close", "incident", "2", "text", "y"}, []string{"close-incident"}},
		},
		"POST /staff/lines/{line}": {
			{"/staff/lines/2003", []string{"do", "lock"}, []string{"lock-line"}}, {"/staff/lines/2003", []string{"do", "unlock"}, []string{"unlock-line"}}, {"/staff/lines/2003", []string{"do", "send"}, []string{"resend-notice"}},
		},
	}
}

// elsewhere are routes of the staff that other tests walk.
var elsewhere = []string{"GET /staff/requests/{request}", "POST /staff/requests/{request}"} // TestRequests

// TestEveryRouteOfTheStaffAsksItsRole walks route × role from the router: a new route without a row fails, and so does one that asks for less than the table says.
func TestEveryRouteOfTheStaffAsksItsRole(t *testing.T) {
	d, _, _ := resellers(t)
	rows := staffRoutes()
	for pattern, area := range d.areas {
		if _, ok := rows[pattern]; area == staff && !ok && !slices.Contains(elsewhere, pattern) {
			t.Errorf("%s has no row", pattern)
		}
	}
	browsers := map[person.Role]*browser{}
	for _, role := range person.Of(true) {
		browsers[role] = d.staff(role)
	}
	_, owner := d.enter(d.acme, "ana", person.Owner)
	n := 0
	for pattern, ways := range rows {
		if d.areas[pattern] != staff {
			t.Errorf("there is no route %s of the staff", pattern)
		}
		for _, a := range ways {
			for role, b := range browsers {
				n++
				b.from = fmt.Sprintf("192.0.2.%d:40000", n%250+1) // one address may not ask so much
				id := d.found(d.login(fmt.Sprint("hosting-login/", n), "203.0.113.9"))
				d.walk(pattern, &a, role, b, id)
			}
			method, _, _ := strings.Cut(pattern, " ")
			owner.from = fmt.Sprintf("198.51.100.%d:40000", n%250+1)
			w := owner.do(method, strings.ReplaceAll(a.path, "{finding}", "1"), nil)
			want(t, pattern+" by a customer", w, 404, "There is no such page")
			want(t, pattern+" by nobody", d.stranger(n).do(method, strings.ReplaceAll(a.path, "{finding}", "1"), nil), 401, "Sign in first")
		}
	}
}

// stranger is a browser that is not signed in.
func (d *desks) stranger(n int) *browser {
	b := d.browser()
	b.from = fmt.Sprintf("198.18.0.%d:40000", n%250+1)
	return b
}

// walk asks a route as a role, and compares with the table of who may do what.
func (d *desks) walk(pattern string, a *asked, role person.Role, b *browser, finding int64) {
	d.t.Helper()
	path := strings.ReplaceAll(a.path, "{finding}", fmt.Sprint(finding))
	may := true
	for _, op := range a.operations {
		may = may && slices.Contains(person.For(op), role)
	}
	w := b.get(path)
	if strings.HasPrefix(pattern, "POST") {
		w = b.post(path, a.post...)
	}
	if refused := w.Code == 403; refused == may || w.Code >= 500 || w.Code == 404 && !strings.HasPrefix(path, "/staff/status") {
		d.t.Errorf("%s %v as %s: %d, and the table says %v", pattern, a.post, role, w.Code, may)
	}
	if role != person.Auditor || w.Code != 200 {
		return
	}
	page := checkStaff(d.t, w)
	for _, form := range page.all("main form") {
		if attr(form, "method") == "post" {
			d.t.Errorf("%s has a button for the auditor", pattern)
		}
	}
}
