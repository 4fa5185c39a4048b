package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// FileError is one thing that is wrong with a file, at its place.
type FileError struct {
	// File is the name that the reader was given; Line and Column count from 1, a column is a character.
	File         string
	Line, Column int
	// Message says what is wrong and what would be right; it holds nothing that a citizen wrote.
	Message string
}

// Error implements error in the form "file:line:column: message".
func (f *FileError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
}

// faults gathers those of one file.
type faults struct {
	file string
	all  []*FileError
}

// maxFaultsOfFile is where reading stops: nobody reads more at once.
const maxFaultsOfFile = 20

func (f *faults) add(line, column int, format string, args ...any) {
	message := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " ")
	f.all = append(f.all, &FileError{File: f.file, Line: max(line, 1), Column: max(column, 1), Message: message})
}

// err is all of them in the order of their places, or nil.
func (f *faults) err() error {
	slices.SortStableFunc(f.all, func(a, b *FileError) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	var all []error
	for i, fault := range f.all {
		if i > 0 && *fault == *f.all[i-1] {
			continue
		}
		if len(all) == maxFaultsOfFile {
			break
		}
		all = append(all, fault)
	}
	return errors.Join(all...)
}
