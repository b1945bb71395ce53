"""TEMPORARY explore."""
import functools, os
from beartype import BeartypeConf, beartype
check = beartype(conf=BeartypeConf(is_pep484_tower=True))
seen=set()
def checked(fn):
    if fn.__name__=="__init__": return fn
    name=fn.__module__+"."+fn.__qualname__
    try: bt=check(fn)
    except Exception as e:
        with open("/tmp/violations.txt","a") as f: f.write(f"UNCHECKABLE {name}\n")
        return fn
    @functools.wraps(fn)
    def w(*a,**k):
        try:
            return bt(*a,**k)
        except Exception as e:
            key=(name, str(e).split("\n")[0][:80])
            if key not in seen:
                seen.add(key)
                with open("/tmp/violations.txt","a") as f: f.write(name+" :: "+" ".join(str(e).split())[:600]+"\n")
            return fn(*a,**k)
    return w
