package site

import (
	"context"
	"fmt"

	"github.com/tanggap/tanggap/internal/ledger/client"
)

// Replica is a further ledger on a site's storage, which has to be one that several may open.
type Replica struct {
	*Process
	// Operator speaks to it as the operator does.
	Operator *client.Client
}

// StartReplica starts the further ledger i, at the same address as before, and returns when it is ready.
// Storage are the flags by which it reaches the storage; nil are those of the site.
func (s *Site) StartReplica(ctx context.Context, i int, storage []string) error {
	if storage == nil {
		storage = s.options.Storage
	}
	var before *Process
	if i < len(s.Replicas) {
		before = s.Replicas[i].Process
	}
	started, err := s.start(ctx, "ledger", fmt.Sprintf("ledger-%d.log", i+1), s.ledgerArguments(before, storage))
	if err != nil {
		return err
	}
	if before != nil {
		s.Replicas[i].Process = started
		return nil
	}
	operator, err := s.OperatorAt(started.Address("api"))
	if err != nil {
		started.Kill()
		return err
	}
	s.Replicas = append(s.Replicas, &Replica{Process: started, Operator: operator})
	return nil
}
