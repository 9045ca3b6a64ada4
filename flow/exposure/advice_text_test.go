package exposure

import "testing"

func TestAdviceThatChangesNothingSaysSo(t *testing.T) {
	if text := instead("A thief", 9_000_000, 50_000_000); text != "A thief could cost £9.00 tonight instead of £50.00." {
		t.Error(text)
	}
	if text := instead("A thief", 50_000_000, 50_000_000); text != "A thief could still cost £50.00 tonight: something else is as dear." {
		t.Error(text)
	}
}
