package main

import (
	"encoding/csv"
	"io"
	"os"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
	"ringfence/edge/rest/client"
)

// peopleImport are the flags of customer import and line import.
type peopleImport struct {
	api.ImportOptions
	File string `arg:"" help:"CSV file with a header; - is standard input."`
}

func (c *peopleImport) send(s *session, what string) (*api.PeopleImport, error) {
	return upload[api.PeopleImport](s, "/v1/"+what+"/import", c, c.File, func(r io.Reader) any { return client.CSV{Reader: r} })
}

type customerImport struct{ peopleImport }

func (c *customerImport) Run(s *session) error {
	out, err := c.send(s, "customers")
	if err != nil {
		return err
	}
	return s.emit(out, func() error {
		if out.DryRun {
			return s.say("%s would be added. Nothing was changed: leave out --dry-run to import.", api.Count(out.Added, "customer", "customers"))
		}
		return s.say("%s added. Give them lines: ringfence line import FILE", api.Count(out.Added, "customer", "customers"))
	})
}

type lineImport struct {
	peopleImport
	Output string `short:"o" help:"New file for generated passwords, as CSV (default: they are printed)." placeholder:"FILE" type:"path"`
}

func (c *lineImport) Run(s *session) error {
	var to *os.File
	if c.Output != "" && !c.DryRun { // before anything is added: the passwords are shown once
		var err error
		if to, err = os.OpenFile(c.Output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			return err
		}
		defer to.Close()
	}
	out, err := c.send(s, "lines")
	if err != nil {
		if to != nil {
			os.Remove(c.Output) // it is empty
		}
		return err
	}
	if to != nil {
		if err := writePasswords(to, out.Passwords); err != nil {
			return err
		}
		out.Passwords = []api.Password{}
	}
	return s.emit(out, func() error { return c.show(s, out) })
}

func (c *lineImport) show(s *session, out *api.PeopleImport) error {
	if out.DryRun {
		return s.say("%s would be added. Nothing was changed: leave out --dry-run to import.", api.Count(out.Added, "line", "lines"))
	}
	s.say("%s added.", api.Count(out.Added, "line", "lines"))
	if c.Output != "" {
		return s.say("Generated passwords are in %s, and nowhere else.", displayPath(c.Output))
	}
	if len(out.Passwords) == 0 {
		return nil
	}
	t := table.New(table.Left("line"), table.Left("password"))
	for _, p := range out.Passwords {
		t.Row(p.Line, p.Password)
	}
	s.table(t, 0)
	return s.say("The passwords are shown this once: put them in the phones now.")
}

func writePasswords(path io.Writer, all []api.Password) error {
	w := csv.NewWriter(path)
	_ = w.Write([]string{"line", "password"}) // Error tells
	for _, p := range all {
		_ = w.Write([]string{p.Line, p.Password})
	}
	w.Flush()
	return w.Error()
}
