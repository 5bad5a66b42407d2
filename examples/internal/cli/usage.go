package cli

import (
	"fmt"
	"strings"
)

// flagRow is a flag in the usage text: its name, and its name with the argument.
type flagRow struct{ name, left string }

// flagColumn is where the explanations begin. Longer flags have a line of their own.
const flagColumn = 30

// Usage returns what -h prints: what the program does, an example, and the flags.
func (c *Command) Usage() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n\nExample:\n\n  %s\n\nFlags:\n\n", c.Name, c.About, c.Example)
	for _, row := range c.rows {
		f := c.flags.Lookup(row.name)
		left := "  " + row.left
		if len(left) > flagColumn-2 {
			fmt.Fprintln(&b, left)
			left = ""
		}
		fmt.Fprintf(&b, "%-*s%s", flagColumn, left, f.Usage)
		if f.DefValue != "" && f.DefValue != "0" && f.DefValue != "false" {
			fmt.Fprintf(&b, " (default %s)", f.DefValue)
		}
		fmt.Fprintln(&b)
	}
	if c.Closing != "" {
		b.WriteString("\n" + c.Closing)
	}
	return b.String()
}
