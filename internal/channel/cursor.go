package channel

import (
	"encoding/json"
	"log/slog"
)

// OpenCursor reads a cursor that was saved by EncodeCursor. The very first one (nil), one that cannot be read and one
// of another owner than that of fresh, such as another account, begin again as fresh: what was read before is
// dropped by the ledger as known.
func OpenCursor[C any, O comparable](saved json.RawMessage, fresh C, owner func(*C) O, logger *slog.Logger) C {
	if len(saved) == 0 {
		return fresh
	}
	var c C
	switch err := json.Unmarshal(saved, &c); {
	case err != nil:
		logger.Warn("Began from the start as the saved cursor could not be read")
	case owner(&c) != owner(&fresh):
		logger.Info("Began from the start as the specification leads to something else")
	default:
		return c
	}
	return fresh
}

// EncodeCursor is a cursor as the ledger keeps it. A cursor is a struct of texts, times and numbers, which always
// has a JSON form.
func EncodeCursor(cursor any) json.RawMessage {
	raw, _ := json.Marshal(cursor) //nolint:errchkjson // see above
	return raw
}
