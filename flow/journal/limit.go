// Package journal is how stages write to the journal within limits, and how they follow it. It must not know kinds of fact, protocols or
// SQL.
package journal

import "time"

// Limit lets through the first Most facts of each subject within Window and counts the rest, so that they can be told in one: nobody
// fills the disk by doing a thing again and again. The zero Window never ends by itself. Its owner guards it with a lock.
type Limit[K comparable, S any] struct {
	Most   int
	Window time.Duration

	spans map[K]*Span[S]
}

// Span is a window of one subject.
type Span[S any] struct {
	Began    time.Time
	Told     int       // let through
	More     int       // left out
	From, To time.Time // of those: the first and the last
	Sum      S         // what the owner keeps of them
}

// Take says whether a fact is told by itself. If not, it is counted in the span. Once one is left out, so are all until the span has
// been summed up.
func (l *Limit[K, S]) Take(subject K, now time.Time) (*Span[S], bool) {
	s := l.span(subject, now)
	if s.Told < l.Most && s.More == 0 {
		s.Told++
		return s, true
	}
	s.leave(1, now)
	return s, false
}

// Pass is Take for an owner that sums nothing up: it says whether a fact is told, and a window ends by itself.
func (l *Limit[K, S]) Pass(subject K, now time.Time) bool {
	if s := l.spans[subject]; s != nil && l.over(s, now) {
		delete(l.spans, subject)
	}
	_, told := l.Take(subject, now)
	return told
}

// Leave counts n facts that are left out for another reason.
func (l *Limit[K, S]) Leave(subject K, n int, now time.Time) *Span[S] {
	s := l.span(subject, now)
	s.leave(n, now)
	return s
}

func (s *Span[S]) leave(n int, now time.Time) {
	if s.More == 0 {
		s.From = now
	}
	s.More, s.To = s.More+n, now
}

// span is the subject's: a new one when the last is over and has nothing to sum up.
func (l *Limit[K, S]) span(subject K, now time.Time) *Span[S] {
	s := l.spans[subject]
	if s == nil || s.More == 0 && l.over(s, now) {
		if l.spans == nil {
			l.spans = map[K]*Span[S]{}
		}
		s = &Span[S]{Began: now}
		l.spans[subject] = s
	}
	return s
}

func (l *Limit[K, S]) over(s *Span[S], now time.Time) bool {
	return l.Window > 0 && now.Sub(s.Began) >= l.Window
}

// Drop forgets a subject and what was left out of it.
func (l *Limit[K, S]) Drop(subject K) { delete(l.spans, subject) }

// Close forgets the spans that are over, or all, and gives those in which something was left out to sum, which may be nil.
func (l *Limit[K, S]) Close(now time.Time, all bool, sum func(subject K, s *Span[S])) {
	for subject, s := range l.spans {
		if !all && !l.over(s, now) {
			continue
		}
		delete(l.spans, subject)
		if s.More > 0 && sum != nil {
			sum(subject, s)
		}
	}
}
