package ledger

import "github.com/tanggap/tanggap/internal/ledger/store"

// ledgerFigures are all figures of a ledger: found by their keys, and those that changed last first.
type ledgerFigures struct {
	byKey map[figureKey]*figure
	list  []*figure
	// newest changed last, and each figure knows the one that changed before it.
	newest *figure
	// channels and histograms are what is shown of several rows together.
	channels   map[string]*channelFigures
	histograms map[[4]string]*histogramRows
}

// figure is one row: its key never changes.
type figure struct {
	key    figureKey
	values values
	// revision is the last that changed it.
	revision      int64
	newer, older  *figure
	channel       *channelFigures // set when it is shown with the channel
	histogramRows *histogramRows  // set when it is a part of a histogram
}

// channelFigures are what is shown of a channel as a whole.
type channelFigures struct {
	// revision is the last that changed any of them.
	revision int64
	// series are the sums of the channel's series.
	series values
	// rows are those of the channel's own families.
	rows []*figure
}

// histogramRows are the rows of one histogram.
type histogramRows struct{ rows []*figure }

func newLedgerFigures() ledgerFigures {
	return ledgerFigures{byKey: map[figureKey]*figure{}, channels: map[string]*channelFigures{}, histograms: map[[4]string]*histogramRows{}}
}

// add adds to the figures by a revision; it reports whether anything changed.
func (f *ledgerFigures) add(t tally, revision int64) (changed bool) {
	for k, v := range t {
		if *v != (values{}) {
			changed = true
			f.change(f.row(k), *v, revision)
		}
	}
	return changed
}

// set replaces a row by what is stored.
func (f *ledgerFigures) set(stored *store.Figures) {
	row := f.row(decodeKey(stored.Key))
	var difference values
	for i := range difference {
		difference[i] = stored.Values[i] - row.values[i]
	}
	f.change(row, difference, stored.Revision)
}

// row is the row of a key, which is made when it is not there.
func (f *ledgerFigures) row(k figureKey) *figure {
	row := f.byKey[k]
	if row != nil {
		return row
	}
	row = &figure{key: k}
	f.byKey[k] = row
	f.list = append(f.list, row)
	switch k.family {
	case familySeries:
		row.channel = f.channel(k.labels[0])
	case familyChannel, familyIngest, familyError, familyCorrection, familyReply, familyReturned:
		row.channel = f.channel(k.labels[0])
		row.channel.rows = append(row.channel.rows, row)
	case familyHistogram:
		id := [4]string(k.labels[:4])
		if f.histograms[id] == nil {
			f.histograms[id] = &histogramRows{}
		}
		row.histogramRows = f.histograms[id]
		row.histogramRows.rows = append(row.histogramRows.rows, row)
	default: // shown by itself
	}
	return row
}

func (f *ledgerFigures) channel(name string) *channelFigures {
	c := f.channels[name]
	if c == nil {
		c = &channelFigures{}
		f.channels[name] = c
	}
	return c
}

// change adds to a row, which then is the one that changed last.
func (f *ledgerFigures) change(row *figure, difference values, revision int64) {
	row.revision = revision
	for i, n := range difference {
		row.values[i] += n
	}
	if c := row.channel; c != nil {
		c.revision = max(c.revision, revision)
		if row.key.family == familySeries {
			for i, n := range difference {
				c.series[i] += n
			}
		}
	}
	if f.newest == row {
		return
	}
	if row.newer != nil {
		row.newer.older = row.older
	}
	if row.older != nil {
		row.older.newer = row.newer
	}
	row.newer, row.older = nil, f.newest
	if f.newest != nil {
		f.newest.newer = row
	}
	f.newest = row
}

// tally is a copy of all figures.
func (f *ledgerFigures) tally() tally {
	all := make(tally, len(f.list))
	for _, row := range f.list {
		v := row.values
		all[row.key] = &v
	}
	return all
}

// shown is one row as it was at an instant.
type shown struct {
	key    *figureKey
	values values
}

// since copies the rows that changed after a revision, and of a histogram that changed every row. Rows
// that are shown with their channel are left out.
func (f *ledgerFigures) since(revision int64) []shown {
	if revision <= 0 {
		all := make([]shown, 0, len(f.list))
		for _, row := range f.list {
			if row.alone() || row.histogramRows != nil {
				all = append(all, shown{&row.key, row.values})
			}
		}
		return all
	}
	var changed []shown
	histograms := map[*histogramRows]bool{}
	for row := f.newest; row != nil && row.revision > revision; row = row.older {
		if row.alone() {
			changed = append(changed, shown{&row.key, row.values})
		}
		if h := row.histogramRows; h != nil && !histograms[h] {
			histograms[h] = true
			for _, part := range h.rows {
				changed = append(changed, shown{&part.key, part.values})
			}
		}
	}
	return changed
}

// alone says that the row is shown by itself.
func (f *figure) alone() bool {
	return f.key.family == familySeries || f.key.family == familyClock || f.key.family == familySpillover
}
