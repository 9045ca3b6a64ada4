package rest

import (
	"strings"
	"time"
)

// reader is one of core/when's ways to read a time.
type reader func(text string, now time.Time, zone *time.Location) (time.Time, error)

// instant reads a time as people write it, in the zone of the customer it is about; "" is none. The words come from the client as
// they were typed, because only here it is known whose day is meant.
func instant(read reader, field, text string, zone *time.Location) (time.Time, error) {
	if strings.TrimSpace(text) == "" {
		return time.Time{}, nil
	}
	t, err := read(text, time.Now(), zone)
	if err == nil {
		return t, nil
	}
	_, want, ok := strings.Cut(err.Error(), "want ")
	if !ok {
		want = "a time"
	}
	return t, invalid(field, text, want)
}

// lineZone is the time zone of a line's customer, or the provider's where there is no such line.
func (s *Server) lineZone(line string) *time.Location {
	if l, ok := s.lineCalled(line); ok {
		return l.Zone()
	}
	return s.d.Book.Zone("")
}

// customerZone is the time zone that a customer is about to have: the one named, else the one in force.
func (s *Server) customerZone(id string, named *string) *time.Location {
	if named != nil && *named != "" {
		if z, err := time.LoadLocation(*named); err == nil {
			return z
		}
	}
	if named != nil {
		return s.d.Book.Zone("") // taken back, or one that the book will refuse
	}
	return s.d.Book.Zone(id)
}
