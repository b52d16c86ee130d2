package rsi

import (
	"math"
	"testing"
)

// Worked by hand for a period of 2.
func TestUpdateGivesWildersNumbers(t *testing.T) {
	index := New(2)
	for place, step := range []struct{ close, want float64 }{
		{10, math.NaN()},
		{11, math.NaN()},
		{13, 100},               // gains 1 and 2, no loss
		{12, 100 * 0.75 / 1.25}, // gain 1.5 -> 0.75, loss 0 -> 0.5
		{12, 60},                // both halve
	} {
		got := index.Update(step.close)
		if got != step.want && !(math.IsNaN(got) && math.IsNaN(step.want)) {
			t.Errorf("close %d: got %v, want %v", place, got, step.want)
		}
	}
}

func TestUpdateOfAFlatMarketIs50(t *testing.T) {
	index := New(2)
	for range 3 {
		index.Update(7)
	}
	if got := index.Update(7); got != 50 {
		t.Errorf("got %v, want 50", got)
	}
}
