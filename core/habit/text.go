package habit

var (
	stepNames    = [NumSteps]string{"open", "notice", "tighten", "range", "country", "narrow", "abroad", "paid", "login"}
	noveltyNames = [numNovelties]string{"number", "number-of-others", "kind", "kind-of-others", "new"}
)

// String is the code of a step.
func (s Step) String() string { return stepNames[s] }

// String is the code of what is known: "number" is that the line has long called it.
func (n Novelty) String() string { return noveltyNames[n] }
