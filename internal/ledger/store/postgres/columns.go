package postgres

import (
	"fmt"
	"strings"
)

// columns are those of a query that makes a row of each place of the arrays $1, $2, ... of the types.
// names are the columns' names, where the query is one within another.
//
// The server goes through the arrays side by side. unnest with several arrays in FROM has the same rows,
// but is computed array by array into temporary stores, which have to be made and read again one by one.
//
// An array that ends before the others goes on with NULLs, so that one of NULLs alone can be empty. The
// first of them must have a value in every place.
func columns(names, types string) string {
	var list []string
	named := strings.Split(names, ",")
	for i, kind := range strings.Split(types, ",") {
		column := fmt.Sprintf("unnest($%d::%s[])", i+1, strings.TrimSpace(kind))
		if names != "" {
			column += " AS " + strings.TrimSpace(named[i])
		}
		list = append(list, column)
	}
	return strings.Join(list, ", ")
}

// numbered are columns with their place, from 1, as the integer n.
func numbered(names, types string) string {
	first, _, _ := strings.Cut(types, ",")
	return columns(names, types) + fmt.Sprintf(", generate_subscripts($1::%s[], 1) AS n", first)
}
