# Adds a pattern to [include] files of a supervisord.conf. Arguments: file, pattern, backup. Prints "added" or "kept".
# The text stays as it is but for the one line; what was written is read back as Supervisor reads it, and compared.
import configparser, os, re, shutil, sys, tempfile

path, pattern, backup = os.path.realpath(sys.argv[1]), sys.argv[2], sys.argv[3]


def read(text):
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    parser.read_string(text)
    return {name: dict(parser.items(name)) for name in parser.sections()}


def files(sections):
    return sections.get("include", {}).get("files", "").split()


with open(path, encoding="utf-8") as f:
    old = f.read()
before = read(old)
if pattern in files(before):
    print("kept")
    sys.exit()

lines = old.splitlines(keepends=True)
section, header, option, last = None, None, None, None
for n, line in enumerate(lines):
    found = re.match(r"\[([^]]+)\]", line)
    if found:
        section, option = found.group(1), None
        if section == "include":
            header, last = n, None
    elif section == "include":
        if re.match(r"files\s*[=:]", line, re.I):
            option = last = n
        elif option is not None and re.match(r"\s+[^\s;#]", line):
            last = n
        elif line.strip() and not re.match(r"\s*[;#]", line):
            option = None
if last is not None:
    body = lines[last].rstrip("\r\n")
    ending = lines[last][len(body):] or "\n"
    comment = re.search(r"\s[;#]", body)
    cut = comment.start() if comment else len(body)
    lines[last] = body[:cut].rstrip() + " " + pattern + body[cut:] + ending
elif header is not None:
    if not lines[header].endswith("\n"):
        lines[header] += "\n"
    lines.insert(header + 1, "files = " + pattern + "\n")
else:
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    lines.append("\n[include]\nfiles = " + pattern + "\n")
new = "".join(lines)
after = read(new)
same = {k: v for k, v in before.items() if k != "include"} == {k: v for k, v in after.items() if k != "include"}
if not same or files(after) != files(before) + [pattern]:
    sys.exit("its [include] section cannot be extended safely; add " + pattern + " to its files by hand")

if not os.path.exists(backup):
    shutil.copy2(path, backup)
state = os.stat(path)
handle, made = tempfile.mkstemp(dir=os.path.dirname(path))
try:
    with os.fdopen(handle, "w", encoding="utf-8") as f:
        f.write(new)
        f.flush()
        os.fchmod(f.fileno(), state.st_mode & 0o7777)
        os.fchown(f.fileno(), state.st_uid, state.st_gid)
        os.fsync(f.fileno())
    os.rename(made, path)
except BaseException:
    os.unlink(made)
    raise
print("added")
