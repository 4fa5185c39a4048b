package sqlite

import "strings"

// rows are the texts of a statement with VALUES, by how many rows it takes. One statement of many rows costs
// far less than as many of one row: it opens each tree once, and each row looks for its place from where the
// one before was put. So rows are best given in the order of their keys.
type rows struct{ texts [len(rowSizes)]string }

// rowSizes are few, because each is prepared and kept.
var rowSizes = [...]int{64, 16, 4, 1}

// newRows has a placeholder for every column of each row between head and tail.
func newRows(head string, columns int, tail string) *rows {
	r := &rows{}
	row := "(?" + strings.Repeat(", ?", columns-1) + ")"
	for i, size := range rowSizes {
		r.texts[i] = head + row + strings.Repeat(", "+row, size-1) + tail
	}
	return r
}

// each calls f with the statements that together take n rows, and with the rows that each takes.
func (r *rows) each(n int, f func(sql string, from, to int) error) error {
	from := 0
	for i, size := range rowSizes {
		for ; n-from >= size; from += size {
			if err := f(r.texts[i], from, from+size); err != nil {
				return err
			}
		}
	}
	return nil
}
