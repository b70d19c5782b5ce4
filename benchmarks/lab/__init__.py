"""What benchmarks share: PostgreSQL, servers on cores of their own, load, CPU accounting, figures.

`machine`     cores, pinning, what to state with a result
`postgres`    the embedded PostgreSQL with data of its own, durable, on one core
`servers`     one server process under test, ended with the benchmark
`wrk`         load, and what it saw
`accounting`  CPU time and memory of process trees
`progress`    one line that says what is measured and how long it still takes
`tables`      Markdown tables, put between markers of a document
`bars`        bar charts as SVG
"""
