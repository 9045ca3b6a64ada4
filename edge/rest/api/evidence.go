package api

import "time"

// Evidence is the seal of the journal as it is now.
type Evidence struct {
	Checkpoint  int64             `json:"checkpoint" doc:"number of the newest; 0: none yet"`
	Epoch       int64             `json:"epoch" doc:"1, and one more for each time that the store was restored"`
	At          time.Time         `json:"at,omitzero"`
	Mark        string            `json:"mark,omitempty" doc:"number and hash, as notices name it"`
	Note        string            `json:"note,omitempty" doc:"as it was signed (C2SP signed note)"`
	Trees       []EvidenceTree    `json:"trees"`
	PublicKey   string            `json:"public_key" doc:"signs checkpoints"`
	Fingerprint string            `json:"fingerprint" doc:"of the public key, for people to compare"`
	Witnesses   []EvidenceWitness `json:"witnesses" doc:"of the newest checkpoints that witnesses and time stampers answered"`
}

// EvidenceTree is the tree of one node.
type EvidenceTree struct {
	Tree string `json:"tree"`
	Rows int64  `json:"rows"`
}

// EvidenceWitness is an answer to a checkpoint.
type EvidenceWitness struct {
	Checkpoint int64     `json:"checkpoint"`
	Witness    string    `json:"witness"`
	At         time.Time `json:"at"`
}

// EvidencePoint chooses a checkpoint.
type EvidencePoint struct {
	Number int64 `query:"number" minimum:"1" required:"true" arg:"" help:"Number of the checkpoint."`
}

// EvidenceNote is a checkpoint as it was signed.
type EvidenceNote struct {
	Note string `json:"note"`
}

// EvidenceFilter chooses what a file of evidence proves.
type EvidenceFilter struct {
	All        bool     `query:"all" help:"Every fact of the journal."`
	Call       []string `query:"call" maxItems:"10000" help:"Facts of this call. May be repeated." placeholder:"CALL" predict:"call"`
	Line       []string `query:"line" maxItems:"1000" help:"Facts of this line. May be repeated." placeholder:"LINE" predict:"line"`
	From       string   `query:"from" maxLength:"40" help:"Facts of lines since this instant or day." placeholder:"WHEN"`
	Until      string   `query:"until" maxLength:"40" help:"Facts of lines before this instant, or until the end of this day." placeholder:"WHEN"`
	Checkpoint []int64  `query:"checkpoint" maxItems:"1000" help:"Put this checkpoint into the file, which a notice named. May be repeated." placeholder:"NUMBER"`
}
