package postgres

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Options say how a database is reached. Files are read again for every connection, so that a rotated
// password or certificate is used as soon as a new connection is made.
type Options struct {
	// URL is a connection string as libpq takes it: postgres://user@host:5432/database, or host=... Without
	// an sslmode it is verify-full; prefer and allow are refused. default_query_exec_mode=exec prepares no
	// statements, for poolers that cannot.
	URL string
	// URLFile is a file with the connection string; exactly one of the two is given.
	URLFile string
	// PasswordFile is a file with the password; "" takes the one of the connection string.
	PasswordFile string
	// CAFile is a PEM file with the authority of the server's certificate; "" takes the system's authorities.
	CAFile string
	// Shared only reads, in View: nothing is migrated, and a role that may read is enough.
	Shared bool
	// Readers is how many Views may run at once; 0 is 4.
	Readers int
	// Now is the clock of whoever uses the Store. While it and the database's are apart by more than
	// complaint.MaxClockDifference, every Update and every View is ErrClock. nil is not compared.
	Now func() time.Time
	// Log receives what a migration does; nil discards it.
	Log *slog.Logger
	// migratePause is between two attempts at a migration that waits for a table.
	migratePause time.Duration
}

const (
	defaultReaders = 4
	// connectLimit bounds the making of a connection where the connection string does not.
	connectLimit = 5 * time.Second
	// connectionLife is how long a connection is used: it bounds how long a rotated password, or a server
	// behind the same name that was replaced, goes unnoticed.
	connectionLife = 30 * time.Minute
	// connectionRest is how long a connection is kept without use.
	connectionRest = 5 * time.Minute
)

// filed are the settings of a connection string that name files, which are read when it is.
var filed = []string{"sslrootcert", "sslcert", "sslkey", "passfile", "service", "servicefile"}

// setting finds the names of settings in the form of a connection string that is no URL.
var setting = regexp.MustCompile(`([^\s=']+)\s*=`)

// CheckURL reports what is wrong with a connection string that is for another process, whose files are not here. So one
// that names files is refused, and none is read: whoever wrote it may have named one without an end. Its error does
// not contain the string.
func CheckURL(connection string) error {
	names := []string{"host", "port", "user", "password", "database", "sslmode"}
	if u, err := url.Parse(connection); err == nil {
		names = slices.AppendSeq(names, maps.Keys(u.Query()))
	}
	for _, found := range setting.FindAllStringSubmatch(connection, -1) {
		names = append(names, found[1])
	}
	for _, name := range filed {
		if slices.Contains(names, name) {
			return fmt.Errorf("the connection string has %s, which names a file that the ledger's pod has not: "+
				"the authority of the server's certificate and the password are named by references to Secrets", name)
		}
	}
	// Nothing that was not found is read, in whatever way it is written.
	_, err := parse(connection, "", pgx.ParseConfigOptions{ParseConfigOptions: pgconn.ParseConfigOptions{ConnStringAllowedKeys: names}})
	return err
}

// CheckCA reports that something else stands where the authority of the server's certificate should.
func CheckCA(authority []byte) error {
	if !x509.NewCertPool().AppendCertsFromPEM(authority) {
		return errors.New("the authority of the server's certificate must be certificates in PEM, which begin with -----BEGIN CERTIFICATE-----")
	}
	return nil
}

// config is the configuration for a connection that is made now.
func (o *Options) config() (*pgx.ConnConfig, error) {
	connection := o.URL
	if o.URLFile != "" {
		content, err := os.ReadFile(o.URLFile)
		if err != nil {
			return nil, fmt.Errorf("reading the connection string: %w", err)
		}
		connection = strings.TrimSpace(string(content))
	}
	config, err := parse(connection, o.CAFile, pgx.ParseConfigOptions{})
	if err != nil {
		return nil, err
	}
	if o.PasswordFile != "" {
		content, err := os.ReadFile(o.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("reading the password: %w", err)
		}
		config.Password = strings.TrimRight(string(content), "\r\n")
	}
	return config, nil
}

func (o *Options) check() error {
	if (o.URL == "") == (o.URLFile == "") {
		return errors.New("exactly one of a connection string and a file with one must be given")
	}
	_, err := o.config()
	return err
}

// sslmode finds the mode in both forms of a connection string.
var sslmode = regexp.MustCompile(`(?:^|[?&\s])sslmode\s*=\s*'?([a-z-]*)`)

// parse adds to a connection string what it must not be without. What is wrong with it is said without
// quoting it: there may be a password in it.
func parse(connection, caFile string, options pgx.ParseConfigOptions) (*pgx.ConnConfig, error) {
	if connection == "" {
		return nil, errors.New("the connection string is empty: it must be like postgres://user:password@host:5432/database")
	}
	mode := ""
	if found := sslmode.FindStringSubmatch(connection); found != nil {
		mode = found[1]
	}
	switch mode {
	case "":
		connection = with(connection, "sslmode", "verify-full")
	case "prefer", "allow":
		return nil, fmt.Errorf("the connection string has sslmode=%s, which goes on without TLS where the server has none: "+
			"it must be verify-full, verify-ca or require, or disable where no TLS is wanted", mode)
	}
	if caFile != "" {
		authority, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("reading the authority of the server's certificate: %w", err)
		}
		if err := CheckCA(authority); err != nil {
			return nil, err
		}
		connection = with(connection, "sslrootcert", caFile)
	}
	config, err := pgx.ParseConfigWithOptions(connection, options)
	if err != nil {
		return nil, errors.New("the connection string cannot be read (it is not shown, as a password may be in it): " +
			"it must be like postgres://user:password@host:5432/database, with special characters of the password percent-encoded")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectLimit
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "tanggap-ledger"
	}
	// A server that vanished without a word is noticed within half a minute.
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}
	config.DialFunc = dialer.DialContext
	return config, nil
}

// with adds a setting to a connection string of either form.
func with(connection, name, value string) string {
	if !strings.HasPrefix(connection, "postgres://") && !strings.HasPrefix(connection, "postgresql://") {
		return connection + " " + name + "='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
	}
	separator := "?"
	if strings.Contains(connection, "?") {
		separator = "&"
	}
	return connection + separator + name + "=" + url.QueryEscape(value)
}
