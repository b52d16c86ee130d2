// Package rsi holds the relative strength index after Wilder, one close at a time.
package rsi

import "math"

// Rsi is the index of one symbol. It gives the same numbers as ingenium.indicators.Rsi in Python,
// to the last bit; the conversions below keep compilers from fusing two operations into one.
type Rsi struct {
	period     float64
	missing    int
	last       float64
	gain, loss float64
}

// New returns an index over a number of closes.
func New(period int) *Rsi {
	return &Rsi{period: float64(period), missing: period + 1}
}

// Update takes a close and returns the index, NaN until period+1 closes have come.
func (r *Rsi) Update(close float64) float64 {
	change := close - r.last
	r.last = close
	if r.missing > 0 {
		return r.warm(change)
	}
	keep := r.period - 1
	if change > 0 {
		r.gain = (float64(r.gain*keep) + change) / r.period
		r.loss = float64(r.loss*keep) / r.period
	} else {
		r.gain = float64(r.gain*keep) / r.period
		r.loss = (float64(r.loss*keep) - change) / r.period
	}
	return r.value()
}

func (r *Rsi) warm(change float64) float64 {
	r.missing--
	if float64(r.missing) < r.period { // the first close has none before it, so no change
		if change > 0 {
			r.gain += change
		} else {
			r.loss -= change
		}
	}
	if r.missing > 0 {
		return math.NaN()
	}
	r.gain /= r.period
	r.loss /= r.period
	return r.value()
}

func (r *Rsi) value() float64 {
	total := r.gain + r.loss
	if total == 0 {
		return 50
	}
	return float64(100*r.gain) / total
}
