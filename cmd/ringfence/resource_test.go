package main

import (
	"reflect"
	"strings"
	"testing"

	"ringfence/edge/rest/api"
)

// Columns of a description are fields or cells. A name of neither would be a column that is always empty.
func TestColumnsAreFieldsOrCells(t *testing.T) {
	columnsOf[api.Ban](t)
	columnsOf[api.Call](t)
	columnsOf[api.CDR](t)
	columnsOf[api.Contact](t)
	columnsOf[api.Customer](t)
	columnsOf[api.Deck](t)
	columnsOf[api.Delivery](t)
	columnsOf[api.Device](t)
	columnsOf[api.Fact](t)
	columnsOf[api.Feed](t)
	columnsOf[api.Finding](t)
	columnsOf[api.HeldChange](t)
	columnsOf[api.Line](t)
	columnsOf[api.Lockout](t)
	columnsOf[api.Notice](t)
	columnsOf[api.NoticeKind](t)
	columnsOf[api.Price](t)
	columnsOf[api.Registration](t)
	columnsOf[api.Removed](t)
	columnsOf[api.Request](t)
	columnsOf[api.Token](t)
	columnsOf[api.Trunk](t)
	columnsOf[api.CheckItem](t)
	columnsOf[api.GeoFile](t)
	columnsOf[api.LineDetail](t)
	columnsOf[api.Note](t)
	columnsOf[api.Person](t)
	columnsOf[api.Phone](t)
	columnsOf[api.Place](t)
	columnsOf[api.Purse](t)
	columnsOf[api.Session](t)
	columnsOf[api.Setting](t)
	columnsOf[api.Staff](t)
	columnsOf[api.Status](t)
	columnsOf[api.TrunkAnswer](t)
	columnsOf[api.Usage](t)
}

// Sentences are templates. Each fits what it is about, or its command would end in a panic.
func TestSentencesFitTheirAnswers(t *testing.T) {
	tried := 0
	for _, leaf := range grammar(t).Model.Leaves(false) {
		if of, ok := leaf.Target.Addr().Interface().(interface{ sentences(says, would string) }); ok {
			of.sentences(leaf.Tag.Get("says"), leaf.Tag.Get("would"))
			tried++
		}
	}
	if tried < 12 {
		t.Errorf("only %d commands with sentences", tried)
	}
	for _, r := range []struct {
		would, gone string
		about       any
	}{{describe[api.LineDetail]().Would, describe[api.LineDetail]().Gone, api.LineDetail{}}, {describe[api.Customer]().Would, describe[api.Customer]().Gone, api.Customer{}}} {
		if sentence(r.would, r.about) == "" || sentence(r.gone, r.about) == "" {
			t.Errorf("%T: nothing is said of its removal", r.about)
		}
	}
}

func (*act[I, O]) sentences(says, _ string) { sentence(says, new(O)) }

func (*sure[I, Seen, O]) sentences(says, would string) {
	sentence(would, new(Seen))
	var about any = new(O)
	if _, ok := about.(*none); ok { // then it is about what was there
		about = new(Seen)
	}
	sentence(says, about)
}

func columnsOf[V api.View[V]](t *testing.T) {
	t.Helper()
	r, byName := describe[V](), jsonFields[V]()
	for _, text := range []string{r.Columns, r.Fields} {
		if text == "" {
			continue
		}
		for _, c := range api.ParseColumns(text) {
			if _, field := byName[c.Field]; !field && r.Cells[c.Field] == nil {
				t.Errorf("%T: there is no field and no cell %q", *new(V), c.Field)
			}
		}
	}
	for name := range r.Cells {
		if !strings.Contains(r.Columns+r.Fields, name) {
			t.Errorf("%T: nothing shows the cell %q", *new(V), name)
		}
	}
	if r.List != "" && (r.Path == "" || r.Empty == "") {
		t.Errorf("%T: a list without a path, or without a word when it is empty", *new(V))
	}
}

func TestARequestIsPutWhereTheServerReadsIt(t *testing.T) {
	in := struct {
		api.LineID
		Body  api.Lock
		Open  bool     `query:"open"`
		Limit int      `query:"limit"`
		Map   []string `query:"map,explode"`
		Yes   bool
	}{LineID: api.LineID{ID: "a/b"}, Body: api.Lock{Why: "x"}, Open: true, Map: []string{"1=a", "2=b"}, Yes: true}
	path, q, body := request("/v1/lines/{id}/lock?order=newest", &in)
	if path != "/v1/lines/a%2Fb/lock" || q.Encode() != "map=1%3Da&map=2%3Db&open=true&order=newest" {
		t.Errorf("%s?%s", path, q.Encode())
	}
	if lock, ok := body.(api.Lock); !ok || lock.Why != "x" {
		t.Errorf("body %+v", body)
	}
	if path, q, body := request("/v1/status", nil); path != "/v1/status" || len(q) != 0 || body != nil {
		t.Errorf("%s, %v, %v", path, q, body)
	}
}

// A figure is written as its JSON name says that it is meant.
func TestColumnsAreWrittenByTheirNames(t *testing.T) {
	c := api.Call{ID: "c1", State: "ringing", Line: "2001", PerMinute: 20_000_000, Held: 1_800_000, Talk: 185}
	wide := shown(t, rows(c), 0)
	for _, want := range []string{"c1", "ringing", "3:05", "2p", "£1.80"} {
		if !strings.Contains(wide, want) {
			t.Errorf("no %s in\n%s", want, wide)
		}
	}
	l := api.Lockout{Scope: "strangers", User: "100", Failures: 3}
	if text := shown(t, rows(l), 0); !strings.Contains(text, "no such line") || !strings.Contains(text, "while it goes on") || strings.Contains(text, "level") {
		t.Errorf("a level of nothing is shown, or what is known is not:\n%s", text)
	}
	if text := sentence(`Trunk {{.Name}} to {{join .Addresses ", "}} would be removed.`, &api.Trunk{Name: "a", Addresses: []string{"192.0.2.1", "192.0.2.2"}}); text != "Trunk a to 192.0.2.1, 192.0.2.2 would be removed." {
		t.Error(text)
	}
}

// TestCellsInWords guards that each sort of field reads as people write it, and that one which is absent is empty.
func TestCellsInWords(t *testing.T) {
	sum, none := int64(12_340_000), (*int64)(nil)
	for _, c := range []struct {
		name  string
		value any
		want  string
	}{
		{"risk_micro", sum, "£12.34"},
		{"risk_micro", &sum, "£12.34"},
		{"risk_micro", none, ""},
		{"length_seconds", int64(90), "1:30"},
		{"off", true, "yes"},
		{"names", []string{"a", "b"}, "a, b"},
		{"calls", int64(7), "7"},
	} {
		if got := textOf(c.name, reflect.ValueOf(c.value)); got != c.want {
			t.Errorf("%s of %v: %q, want %q", c.name, c.value, got, c.want)
		}
	}
}
