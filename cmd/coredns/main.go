// Command coredns is CoreDNS with all its plugins and entente, which answers the names of a domain's mesh. It is what CoreDNS's own build
// makes of the line entente:github.com/entente-mesh/entente/dns before kubernetes in its plugin.cfg.
package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/coredns/coredns/core/dnsserver"
	_ "github.com/coredns/coredns/core/plugin" // every plugin of a stock CoreDNS
	"github.com/coredns/coredns/coremain"

	_ "github.com/entente-mesh/entente/dns"
)

func main() {
	if err := dnsserver.SetDirectives(directives()); err != nil {
		fmt.Fprintln(os.Stderr, "coredns:", err)
		os.Exit(1)
	}
	coremain.Run()
}

// directives is the order of a stock CoreDNS with entente before kubernetes: after everything that looks at queries and answers, such as
// cache and rewrite, and before the plugins that have answers of their own.
func directives() []string {
	stock := dnsserver.Directives
	return slices.Insert(slices.Clone(stock), slices.Index(stock, "kubernetes"), "entente")
}
