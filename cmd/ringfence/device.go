package main

import "ringfence/edge/rest/api"

type lineDevice struct {
	api.LineID
	Body    api.Verdict `embed:""`
	Mine    bool        `help:"It is the owner's: no more notices about it." xor:"verdict" required:""`
	NotMine bool        `help:"It is not the owner's: the place is no longer usual or trusted." xor:"verdict" required:""`
	Forget  bool        `help:"Take back what was recorded." xor:"verdict" required:""`
}

func (c *lineDevice) Run(s *session) error {
	c.Body.Verdict = "none"
	switch {
	case c.Mine:
		c.Body.Verdict = "mine"
	case c.NotMine:
		c.Body.Verdict = "not-mine"
	}
	page, err := fetch[api.List[api.Device]](s, "POST /v1/lines/{id}/devices/verdict", c)
	if err != nil {
		return err
	}
	return s.emit(append([]api.Device{}, page.Items...), func() error {
		if err := s.table(rows(page.Items...), 0); err != nil || !c.NotMine {
			return err
		}
		return s.say("\nSomeone else still has the password. Next: ringfence line lock %s --why TEXT --cut, or ringfence line password %s", c.ID, c.ID)
	})
}
