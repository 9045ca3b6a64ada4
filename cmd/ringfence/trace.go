package main

import (
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type traceCmd struct {
	remote
	Line     string `arg:"" optional:"" help:"Line, by its name or telephone number." predict:"line"`
	Call     string `help:"Only this call, on both legs." placeholder:"CALL" predict:"call"`
	For      span   `help:"Stop after this long, ten minutes at most." default:"1m"`
	Messages int    `help:"Stop after so many messages, 5,000 at most." default:"200"`
}

func (traceCmd) Help() string {
	return `Shows the messages as they come and go, until its time is over or it has shown as many as asked for. What logs in is left out, and so are passwords in addresses, keys of media, and all bodies but SDP. Who traced what is in the journal. Over TCP a token needs admin.tracers.

` + examples("ringfence trace 2001", "ringfence trace 2001 --for 5m --messages 1000 > 2001.txt", "ringfence trace --call 01JD8Z6Q4N8T7R5V3X1B9C7D5F --json")
}

// Run shows them as they come.
func (c *traceCmd) Run(s *session) error {
	if (c.Line == "") == (c.Call == "") {
		return usagef("name a line, or a call with --call")
	}
	server, err := s.client()
	if err != nil {
		return err
	}
	path := pathOf("trace") + query("line", c.Line, "call", c.Call, "for_seconds", strconv.Itoa(int(c.For.Duration/time.Second)), "messages", strconv.Itoa(c.Messages))
	lines, w := io.Pipe()
	go func() { w.CloseWithError(server.Stream(s.ctx, path, "application/jsonl", w)) }()
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
			missed = " " + plural(m.Missed, "message", "messages") + " came too fast to be shown."
		}
		return s.say("The trace has ended: %s.%s", m.End, missed)
	}
	arrow := map[string]string{"in": "<- from ", "out": "-> to "}[m.Direction]
	head := m.At.Local().Format("15:04:05.000") + " " + arrow + m.Peer + " over " + m.Transport
	return s.say("%s\n    %s\n", s.out.Paint(table.Bold, head), strings.ReplaceAll(strings.TrimRight(m.Text, "\n"), "\n", "\n    "))
}
