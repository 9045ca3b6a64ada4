package api

// Erasure is what the erasing of a customer's data would erase and what stays, or how far it has come.
type Erasure struct {
	Customer string   `json:"customer"`
	Number   int64    `json:"number,omitempty" doc:"of the erasure; absent: it was not begun"`
	Done     bool     `json:"done" doc:"nothing is left to erase"`
	Lines    []string `json:"lines"`
	People   int      `json:"people"`
	Contacts int      `json:"contacts"`
	Calls    int64    `json:"calls" doc:"in the database; those in archives come beside them"`
	Cases    int      `json:"cases"`
	Archives int      `json:"archives" doc:"that are looked through"`
	Books    int64    `json:"books" doc:"bills, payments and credits: they stay as long as the law wants them"`
	Kept     []string `json:"kept" doc:"what keeps the data: while there is something, nothing is erased"`
	Left     []string `json:"left" doc:"of one that was begun: what is still to be erased, and what it waits for; it goes on by itself"`
}
