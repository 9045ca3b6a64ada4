package main

import (
	"encoding/json"
	"errors"
	"io"
	"strings"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type traceCmd struct {
	remote
	api.TraceFilter
}

func (c *traceCmd) Run(s *session) error {
	if (c.Line == "") == (c.Call == "") {
		return usagef("name a line, or a call with --call")
	}
	lines, w := io.Pipe()
	go func() { w.CloseWithError(s.stream("/v1/trace", c, "application/jsonl", w)) }()
	defer lines.Close()
	for in := json.NewDecoder(lines); ; {
		var m api.TraceMessage
		err := in.Decode(&m)
		switch {
		case errors.Is(err, io.EOF) || s.ctx.Err() != nil:
			return nil // interrupted: that is how it may end
		case err != nil:
			return err
		}
		if err := s.traceMessage(&m); err != nil {
			return err
		}
	}
}

func (s *session) traceMessage(m *api.TraceMessage) error {
	switch {
	case s.json:
		return s.jsonLine(m)
	case m.End != "":
		missed := ""
		if m.Missed > 0 {
			missed = " " + api.Count(m.Missed, "message", "messages") + " came too fast to be shown."
		}
		return s.say("The trace has ended: %s.%s", m.End, missed)
	}
	arrow := map[string]string{"in": "<- from ", "out": "-> to "}[m.Direction]
	head := m.At.Local().Format("15:04:05.000") + " " + arrow + m.Peer + " over " + m.Transport
	return s.say("%s\n    %s\n", s.out.Paint(table.Bold, head), strings.ReplaceAll(strings.TrimRight(m.Text, "\n"), "\n", "\n    "))
}
