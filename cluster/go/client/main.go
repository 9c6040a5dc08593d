// A service that is not ours, for cluster/kind-observability.sh: it asks Postgres and another service twice a second each, through
// instrumentations that others have written, so that metrics of clients are what the conventions have made of them elsewhere.
package main

import (
	"context"
	"database/sql"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/XSAM/otelsql"
	_ "github.com/lib/pq"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
)

func ask(client *http.Client, database *sql.DB, url string) {
	within, done := context.WithTimeout(context.Background(), time.Second)
	defer done()
	if request, err := http.NewRequestWithContext(within, http.MethodGet, url, nil); err == nil {
		if response, err := client.Do(request); err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
	}
	var one int
	_ = database.QueryRowContext(within, "SELECT 1").Scan(&one)
}

func main() {
	exporter, err := prometheus.New()
	if err != nil {
		log.Fatal(err)
	}
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(exporter)))
	database, err := otelsql.Open("postgres", os.Getenv("DATABASE_URL"), otelsql.WithAttributes(semconv.DBSystemNamePostgreSQL))
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: otelhttp.NewTransport(http.DefaultTransport)}
	go func() {
		for range time.Tick(500 * time.Millisecond) {
			ask(client, database, os.Getenv("URL"))
		}
	}()
	http.Handle("/metrics", otelhttp.NewHandler(promhttp.Handler(), "metrics"))
	log.Fatal(http.ListenAndServe(os.Getenv("LISTEN"), nil))
}
