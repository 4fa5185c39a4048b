package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/sla"
	"github.com/tanggap/tanggap/internal/taxonomy"
)

// Digest is the revision that the document's content has: the SHA-256 of its JSON form, in which maps
// are sorted by their keys, without the revision itself; hex.
func (d Document) Digest() string {
	d.Revision = ""
	return digest(d)
}

// Seal is the document with its Revision.
func (d Document) Seal() Document {
	d.Revision = d.Digest()
	return d
}

func digest(content any) string {
	encoded, err := json.Marshal(content)
	if err != nil {
		// Unreachable: documents are plain data, whose only failing member is a time beyond the year 9999,
		// and such a document has no JSON form to be told from another by.
		encoded = []byte(err.Error())
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:])
}

// digest is that of everything by which the cases of the channel are judged.
func (c *compiler) digest(channel *Channel, spec sla.Spec, calendarName string, retention *CompiledRetention) string {
	spec.Objective = nil // a threshold for alerts: no case depends on it
	return digest(struct {
		Official bool
		SLA      string
		Spec     sla.Spec
		Calendar calendar.Spec
		Taxonomy taxonomy.Spec
		// What a case holds, and until when, is decided with its clocks.
		Idle         time.Duration
		StoreHandles bool
	}{
		channel.Official, channel.SLA, spec, c.document.Calendars[calendarName], c.document.Taxonomies[channel.Taxonomy],
		retention.Idle, retention.StoreHandles,
	})
}
