package web

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/flow/book"
)

// resellers is a house in which acme is north's customer, beside south, which has one of its own.
func resellers(t *testing.T) (d *desks, north, south string) {
	t.Helper()
	d = newDesks(t)
	ctx := t.Context()
	var ids []string
	for _, handle := range []string{"north", "south"} {
		v, err := d.book.AddReseller(ctx, "t", handle, book.CustomerEdit{Name: ptr("<b>" + handle + "</b>"), DayCap: ptr(500 * money.Pound)})
		fatal(t, err)
		ids = append(ids, v.ID)
	}
	_, err := d.book.EditCustomer(ctx, "t", d.acme, book.CustomerEdit{Reseller: &ids[0], Name: ptr("Acme <script>alert(1)</script>\u202eLtd")})
	fatal(t, err)
	_, err = d.book.AddCustomer(ctx, "t", "carol", book.CustomerEdit{Reseller: &ids[1]})
	fatal(t, err)
	_, err = d.book.AddCustomer(ctx, "t", "dave", book.CustomerEdit{}) // the provider's own
	fatal(t, err)
	return d, ids[0], ids[1]
}

// TestAResellerSeesItsCustomersAlone walks route × owner from the router: every page of a customer's, asked by its reseller's people, by another
// reseller's, by the customer's own under the reseller's address, by staff, and by nobody.
func TestAResellerSeesItsCustomersAlone(t *testing.T) {
	d, north, south := resellers(t)
	_, ana := d.enter(north, "ana", person.Owner)
	_, eve := d.enter(south, "eve", person.Owner)
	_, own := d.enter(d.acme, "max", person.Owner)
	n, parameter := 0, regexp.MustCompile(`\{[a-z.]+\}`)
	for pattern, who := range d.areas {
		method, path, _ := strings.Cut(pattern, " ")
		if who != customer || strings.HasSuffix(path, "/live") || path == "/customers" {
			continue
		}
		n++
		path = strings.ReplaceAll(path, "{line}", "2003")
		for b, status := range map[*browser]int{eve: 404, own: 404, d.stranger(n): 401} {
			b.from = fmt.Sprintf("192.0.2.%d:40000", n%250+1)
			if w := b.do(method, "/for/acme"+path, nil); w.Code != status {
				t.Errorf("%s: %d, want %d", pattern, w.Code, status)
			}
		}
		ana.from = fmt.Sprintf("198.51.100.%d:40000", n%250+1)
		for _, other := range []string{"carol", "dave", "north", "south", "nobody"} {
			if w := ana.do(method, "/for/"+other+path, nil); w.Code != 404 {
				t.Errorf("%s of %s: %d", pattern, other, w.Code)
			}
		}
		if method != "GET" || parameter.MatchString(path) {
			continue
		}
		w := ana.get("/for/acme" + path)
		if w.Code != 200 && w.Code != 303 {
			t.Errorf("%s by the customer's reseller: %d", pattern, w.Code)
		}
		for _, link := range regexp.MustCompile(` (?:href|action|content|data-live)="(/[^"]*)"`).FindAllStringSubmatch(w.Body.String(), -1) {
			if p := link[1]; !strings.HasPrefix(p, "/for/acme/") && !strings.HasPrefix(p, "/assets/") && p != "/customers" {
				t.Errorf("%s leads to %s, which is not the customer's", pattern, p)
			}
		}
	}
	if n < 12 {
		t.Errorf("only %d routes", n)
	}
}

// TestAResellersPages: its people begin at their customers, go on to one, and change its settings as far as they may.
func TestAResellersPages(t *testing.T) {
	d, north, _ := resellers(t)
	_, ana := d.enter(north, "ana", person.Owner)
	want(t, "the first page", ana.get("/"), 303, "/customers")
	w := ana.get("/customers")
	want(t, "the customers", w, 200, `href="/for/acme/"`)
	for _, bad := range []string{"carol", "<script>alert(1)", "<b>north", "\u202e"} {
		if strings.Contains(w.Body.String(), bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	w = ana.get("/for/acme/")
	want(t, "a customer", w, 200, "You are looking at the pages of")
	want(t, "its lines", ana.get("/for/acme/lines/2003"), 200, "2003")
	want(t, "not without the customer in the address", ana.get("/lines/2003"), 404, "There is no such page")
	want(t, "the list is nobody's under a customer", ana.get("/for/acme/customers"), 404, "There is no such page")
	_, own := d.enter(d.acme, "max", person.Owner)
	want(t, "a customer has no customers", own.get("/customers"), 404, "There is no such page")
	want(t, "a lock", ana.post("/for/acme/lock", "all", "1"), 303, "/for/acme/lock")
	if l, _ := d.book.Line(d.line); !l.Locked() {
		t.Error("the customer's line is not locked")
	}
	sam := d.staff(person.Support)
	want(t, "staff see the reseller", sam.get("/staff/resellers/north"), 200, `href="/staff/customers/acme"`)
	want(t, "and whose customer it is", sam.get("/staff/customers/acme"), 200, `href="/staff/resellers/north"`)
	want(t, "a reseller found", sam.get("/staff/customers/north"), 303, "/staff/resellers/north")
	want(t, "a customer is no reseller", sam.get("/staff/resellers/acme"), 404, "There is no such page")
}
