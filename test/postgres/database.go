package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// NewDatabase makes an empty database with a role of the same name that owns it and may do nothing
// else, and returns the name. The role's password is that of the superuser.
func (s *Server) NewDatabase(ctx context.Context) (string, error) {
	s.mu.Lock()
	s.names++
	name := fmt.Sprintf("ledger%d", s.names)
	s.mu.Unlock()
	err := s.Execute(ctx, superuser,
		fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", name, password),
		fmt.Sprintf("CREATE DATABASE %s OWNER %s TEMPLATE template0", name, name))
	return name, err
}

// DropDatabase ends the connections of a database and removes it.
func (s *Server) DropDatabase(ctx context.Context, name string) error {
	return s.Execute(ctx, superuser, fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name))
}

// Execute runs statements in a database as the superuser.
func (s *Server) Execute(ctx context.Context, database string, statements ...string) (err error) {
	c, err := s.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	for _, sql := range statements {
		if _, err := c.Exec(ctx, sql); err != nil {
			return fmt.Errorf("executing %q: %w", sql, err)
		}
	}
	return nil
}

// Connect connects the superuser to a database; the caller closes the connection.
func (s *Server) Connect(ctx context.Context, database string) (*pgx.Conn, error) {
	c, err := pgx.Connect(ctx, s.URL(database))
	if err != nil {
		return nil, fmt.Errorf("connecting to the database %s: %w", database, err)
	}
	return c, nil
}
