// Runs the first cells of notebooks in IPython on CPython 3.14, compiled to WebAssembly, as papermill would.
// node python_3_14.mjs PYODIDE SITE_PACKAGES REPOSITORY: prints one JSON object, notebook -> what each injection led to.
import { pathToFileURL } from "node:url";

const [pyodide, site, repository] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${pyodide}/pyodide.mjs`));
const python = await loadPyodide({ stdout: () => {}, stderr: () => {} });
for (const [folder, root] of [["/site", site], ["/repository", repository]]) {
  python.FS.mkdirTree(folder);
  python.FS.mount(python.FS.filesystems.NODEFS, { root }, folder);
}
console.log(
  python.runPython(`
import json, pathlib, sys

sys.path[:0] = ["/repository"]
sys.path.append("/site")
from IPython.core.interactiveshell import InteractiveShell


def outcome(cells):
    """Run cells and return the message of the first error, "" for none."""
    shell = InteractiveShell()
    for source in cells:
        result = shell.run_cell(source, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        if error:
            return f"{type(error).__name__}: {error}"
    return ""


found = {"version": sys.version.split()[0]}
for path in sorted(pathlib.Path("/repository/notebooks").glob("*.ipynb")):
    cells = [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    sources = ["".join(c["source"]) for c in cells]
    parameters = next("".join(c["source"]) for c in cells if "parameters" in c["metadata"].get("tags", []))
    guard = next(i for i, source in enumerate(sources) if "parameters.check(" in source)
    between = sources[sources.index(parameters) + 1 : guard + 1]
    found[path.stem] = {
        name: outcome([*before, *between])
        for name, before in {
            "plain": [parameters],
            "seed = 7": [parameters, "# Parameters\\nseed = 7\\n"],
            "sede = 7": [parameters, "# Parameters\\nsede = 7\\n"],
            "seed = 'high'": [parameters, "# Parameters\\nseed = 'high'\\n"],
            "lost tag": ["# Parameters\\nseed = 7\\n", parameters],
        }.items()
    }
json.dumps(found)
`),
);
