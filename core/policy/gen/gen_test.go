package main

import (
	"os"
	"strings"
	"testing"
)

// TestUpToDate guards that reasons.go is what reasons.txt says.
func TestUpToDate(t *testing.T) {
	text, err1 := os.ReadFile("../reasons.txt")
	code, err2 := os.ReadFile("../reasons.go")
	want, err3 := generate(string(text))
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	if string(code) != string(want) {
		t.Error("go generate ./core/policy has not been run since reasons.txt was changed")
	}
	if _, err := generate("Busy busy none 486 busy"); err == nil || !strings.Contains(err.Error(), "reasons.txt:1") {
		t.Error("a reason without a text:", err)
	}
}
