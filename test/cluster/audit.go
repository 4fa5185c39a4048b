package cluster

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// auditPolicy records who changes what, and when. Reading is left out, and so are the questions that only
// look like writing: reviews of tokens and of access.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    verbs: [get, list, watch]
  - level: None
    resources:
      - {group: authentication.k8s.io}
      - {group: authorization.k8s.io}
  - level: Metadata
`

// auditFlags make the API server write the log; an empty file is none.
func auditFlags(stateDir, file string) (map[string][]string, error) {
	if file == "" {
		return nil, nil
	}
	policy := filepath.Join(stateDir, "audit-policy.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, fmt.Errorf("writing the audit policy: %w", err)
	}
	return map[string][]string{"audit-policy-file": {policy}, "audit-log-path": {file}, "audit-log-mode": {"blocking"}}, nil
}

// Write is a request that changed something, or tried to.
type Write struct {
	At                    time.Time
	User, Verb            string
	Resource, Subresource string
	Namespace, Name       string
	Status                int
}

// Writes reads the audit log: the requests of a user since an instant.
func Writes(auditLog, user string, since time.Time) ([]Write, error) {
	file, err := os.Open(auditLog)
	if err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	defer func() { _ = file.Close() }()
	var writes []Write
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return writes, nil // what follows the last line break is still being written
		}
		var event struct {
			Verb      string    `json:"verb"`
			At        time.Time `json:"requestReceivedTimestamp"`
			User      struct{ Username string }
			ObjectRef struct{ Resource, Subresource, Namespace, Name string }
			Response  struct{ Code int } `json:"responseStatus"`
		}
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("reading the audit log: %w", err)
		}
		if event.User.Username == user && !event.At.Before(since) {
			o := event.ObjectRef
			writes = append(writes, Write{event.At, user, event.Verb, o.Resource, o.Subresource, o.Namespace, o.Name, event.Response.Code})
		}
	}
}
