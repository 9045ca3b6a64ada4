package workbook

// Bound lowers what may be unpacked, for a test, and gives the way back.
func Bound(n int64) (restore func()) {
	was := maxUnpacked
	maxUnpacked = n
	return func() { maxUnpacked = was }
}
