#!/usr/bin/env escript
%% release.escript VERSION APP…: a release as relx lays it out in _rel/kazoo: erts-*, lib, releases/VERSION, bin.
main([Version | Apps]) ->
    Own = [list_to_atom(App) || App <- Apps],
    Path = filelib:wildcard("core/*/ebin") ++ filelib:wildcard("applications/*/ebin"),
    code:add_pathsa(Path),
    Otp = [kernel, stdlib, sasl, inets, crypto, asn1, public_key, ssl],
    release("kazoo", Version, Otp ++ [{App, load} || App <- Own], Path),
    release("start_clean", Version, [kernel, stdlib], Path),
    {ok, _, _} = systools:make_tar("kazoo", [{path, Path}, {erts, code:root_dir()}, {outdir, "_rel"}, silent]),
    ok = erl_tar:extract("_rel/kazoo.tar.gz", [compressed, {cwd, "_rel/kazoo"}]),
    ok = file:delete("_rel/kazoo.tar.gz"),
    Releases = filename:join(["_rel/kazoo/releases", Version]),
    {ok, _} = file:copy("kazoo.boot", filename:join(Releases, "kazoo.boot")),
    ok = filelib:ensure_dir("_rel/kazoo/bin/x"),
    {ok, _} = file:copy("start_clean.boot", "_rel/kazoo/bin/start_clean.boot"),
    [ok = file:delete(File) || File <- filelib:wildcard("{kazoo,start_clean}.{rel,script,boot}")].

release(Name, Version, Apps, Path) ->
    Versioned = [case App of
                     {A, load} -> {A, version(A), load};
                     A -> {A, version(A)}
                 end || App <- Apps],
    Release = {release, {Name, Version}, {erts, erlang:system_info(version)}, Versioned},
    ok = file:write_file(Name ++ ".rel", io_lib:format("~p.~n", [Release])),
    {ok, _, _} = systools:make_script(Name, [{path, Path}, silent, no_warn_sasl]),
    ok.

version(App) ->
    _ = application:load(App),
    {ok, Version} = application:get_key(App, vsn),
    Version.
