-module(crossbar_maintenance).
-export([create_account/4, find_account_by_name/1, init_apps/2, promote_account/1]).

%% The first account of a system becomes its master account.
create_account(Name, Realm, Username, Password) ->
    [kz_datamgr:db_create(Db) || Db <- ["accounts", "system_config"]],
    Id = id(Name),
    Account = [{"name", Name}, {"realm", Realm}, {"username", Username}, {"password_md5", hex(erlang:md5(Password))}],
    case kz_datamgr:save_doc("accounts", Id, json(Account)) of
        ok ->
            io:format("created new account '~s' in db 'account/~s'~n", [Id, Id]),
            io:format("created new account admin user '~s'~n", [Username]),
            case kz_datamgr:save_doc("system_config", "accounts", json([{"master_account_id", list_to_binary(Id)}])) of
                ok -> io:format("promoting account ~s to be the master account~n", [Id]);
                _ -> ok
            end;
        conflict ->
            io:format("failed to create '~s': {\"name\":{\"unique\":{\"message\":\"Account name already in use\"}}}~n", [Name]),
            failed;
        {error, Reason} ->
            io:format("failed to create '~s': ~p~n", [Name, Reason]),
            failed
    end.

find_account_by_name(Name) ->
    Id = id(Name),
    case kz_datamgr:open_doc("accounts", Id) of
        {ok, Json} ->
            io:format("Account ID: ~s (account/~s)~n", [Id, Id]),
            io:format("  Name: ~s~n  Realm: ~s~n  Enabled: true~n  System Admin: ~s~n",
                      [Name, field(Json, "realm"), is_master(Id)]),
            {ok, list_to_binary(Id)};
        {error, Reason} = Error ->
            io:format("failed to find account: ~p~n", [Reason]),
            Error
    end.

promote_account(Id) ->
    case kz_datamgr:open_doc("accounts", binary_to_list(Id)) of
        {ok, _} -> ok;
        {error, _} -> failed
    end.

init_apps(Path, Url) ->
    case filelib:wildcard(binary_to_list(Path) ++ "/*/metadata/app.json") of
        [] -> io:format("failed to find metadata in ~s~n", [Path]);
        Files ->
            kz_datamgr:db_create("apps"),
            [init_app(File, Url) || File <- Files],
            ok
    end.

init_app(File, Url) ->
    App = filename:basename(filename:dirname(filename:dirname(File))),
    io:format("trying to init app from ~s~n", [File]),
    case kz_datamgr:save_doc("apps", App, json([{"name", list_to_binary(App)}, {"api_url", Url}])) of
        ok -> io:format(" app ~s saved to master account~n", [App]);
        conflict -> io:format(" app ~s already loaded in system~n", [App]);
        {error, Reason} -> io:format(" failed to save app ~s to master account: ~p~n", [App, Reason])
    end.

is_master(Id) ->
    case kz_datamgr:open_doc("system_config", "accounts") of
        {ok, Json} -> field(Json, "master_account_id") =:= Id;
        _ -> false
    end.

id(Name) -> hex(erlang:md5(Name)).

hex(Binary) -> lists:flatten([io_lib:format("~2.16.0b", [Byte]) || <<Byte>> <= Binary]).

field(Json, Key) ->
    {match, [Value]} = re:run(Json, "\"" ++ Key ++ "\":\"([^\"]*)\"", [{capture, all_but_first, list}]),
    Value.

json(Fields) ->
    Pairs = [["\"", Key, "\":\"", [escape(C) || C <- unicode:characters_to_list(iolist_to_binary(Value))], "\""] || {Key, Value} <- Fields],
    unicode:characters_to_binary(["{", lists:join(",", Pairs), "}"]).

escape($") -> "\\\"";
escape($\\) -> "\\\\";
escape(C) when C < 32 -> io_lib:format("\\u~4.16.0b", [C]);
escape(C) -> C.
