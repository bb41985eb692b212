// Command ferretdb speaks MongoDB's protocol in front of PostgreSQL, where there is no MongoDB. It reads the variables of
// FerretDB's own command, which does not run when built from its module: a file that its releases add is missing.
package main

import (
	"context"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	server, err := ferretdb.New(&ferretdb.Config{
		Listener: ferretdb.ListenerConfig{
			TCP:         os.Getenv("FERRETDB_LISTEN_ADDR"),
			TLS:         os.Getenv("FERRETDB_LISTEN_TLS"),
			TLSCertFile: os.Getenv("FERRETDB_LISTEN_TLS_CERT_FILE"),
			TLSKeyFile:  os.Getenv("FERRETDB_LISTEN_TLS_KEY_FILE"),
			TLSCAFile:   os.Getenv("FERRETDB_LISTEN_TLS_CA_FILE"),
		},
		Handler:       "postgresql",
		PostgreSQLURL: os.Getenv("FERRETDB_POSTGRESQL_URL"),
		// It logs every refused command, and refusals, such as of a second row at a position, are our daily work.
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := server.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
