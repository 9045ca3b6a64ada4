package detect

import (
	"fmt"
	"strconv"

	"ringfence/core/fact"
)

// judgeEpoch concludes that the store is not the one of which a checkpoint was made: it was restored from an older copy, somebody changed it, or there are two.
func judgeEpoch(e *Event, b *fact.EvidenceEpoch) ([]Finding, error) {
	if b.Epoch <= 1 {
		return nil, fmt.Errorf("%w: %s without an epoch", ErrBody, e.Kind)
	}
	text := fmt.Sprintf("The journal does not fit checkpoint %d, which is known elsewhere (%s). A new epoch of its seal, %d, has begun, which says so.", b.Checkpoint, said(b.Text), b.Epoch)
	v := evidence{"epoch": b.Epoch, "checkpoint": b.Checkpoint, "found": said(b.Text)}
	return []Finding{e.finding(JournalDiffers, "", "", text, v, strconv.FormatInt(b.Epoch, 10))}, nil
}
