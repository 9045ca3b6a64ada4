package book_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"ringfence/core/rating"
	"ringfence/flow/book"
)

// TestCarriersDeck imports a carrier's real file, dry and then for good.
func TestCarriersDeck(t *testing.T) {
	file, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "decks", "carrier-az-2010.csv"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the sample decks are not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	b, _, _ := sample(t)
	o := book.ImportOptions{Name: "carrier", Kind: rating.Cost, Source: "carrier-az-2010.csv", DryRun: true}
	_, err = b.Import(ctx, "t", file, o)
	var faults *book.DeckFaults
	if errors.As(err, &faults) {
		o.Read.SkipBlank = true
		_, err = b.Import(ctx, "t", file, o)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := b.Deck("carrier"); ok {
		t.Fatal("a dry run put the deck in force")
	}
	o.DryRun = false
	got, err := b.Import(ctx, "t", file, o)
	if err != nil || got.Head.Version != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	t.Logf("%+v", got.File.Summary)
	if _, d, ok := b.Deck("carrier"); !ok || d.Len() < 20_000 {
		t.Errorf("in force: %d prices", d.Len())
	}
	if got, err = b.Import(ctx, "t", file, o); err != nil || len(got.Changes.Added)+len(got.Changes.Removed)+len(got.Changes.Dearer) != 0 {
		t.Errorf("the same again changes something: %v", err)
	}
}
