// Takes expressions apart with Prometheus' own parser: a JSON array of strings comes in, for each of them an array of its parts goes out.
// A comparison that would leave series out is asked for 0 or 1 instead, so that every part has to find something, be it true or not.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/prometheus/prometheus/promql/parser"
)

type part struct {
	Expr   string   `json:"expr"`
	Labels []string `json:"labels"` // that what it is made of has to have: those of by() and on()
}

func parts(text string) ([]part, error) {
	whole, err := parser.ParseExpr(text)
	if err != nil {
		return nil, err
	}
	parser.Inspect(whole, func(node parser.Node, _ []parser.Node) error {
		if op, ok := node.(*parser.BinaryExpr); ok && op.Op.IsComparisonOperator() {
			op.ReturnBool = true
		}
		return nil
	})
	found := []part{}
	add := func(node parser.Expr, labels []string) {
		if node.Type() == parser.ValueTypeMatrix {
			node = &parser.Call{Func: parser.Functions["last_over_time"], Args: parser.Expressions{node}}
		}
		if node.Type() == parser.ValueTypeVector {
			found = append(found, part{Expr: node.String(), Labels: labels})
		}
	}
	parser.Inspect(whole, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.AggregateExpr:
			add(n, nil)
			if !n.Without {
				add(n.Expr, n.Grouping)
			}
		case *parser.BinaryExpr:
			add(n, nil)
			if n.VectorMatching != nil && n.VectorMatching.On {
				add(n.LHS, n.VectorMatching.MatchingLabels)
				add(n.RHS, n.VectorMatching.MatchingLabels)
			}
		case parser.Expr:
			add(n, nil)
		}
		return nil
	})
	return found, nil
}

func main() {
	var texts []string
	if err := json.NewDecoder(os.Stdin).Decode(&texts); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	all := [][]part{}
	for _, text := range texts {
		found, err := parts(text)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", text, err)
			os.Exit(1)
		}
		all = append(all, found)
	}
	_ = json.NewEncoder(os.Stdout).Encode(all)
}
