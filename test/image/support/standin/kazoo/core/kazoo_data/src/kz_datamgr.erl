%% The database that config.ini names, by HTTP.
-module(kz_datamgr).
-export([server/0, is_up/0, db_create/1, save_doc/3, open_doc/2]).

%% {Host, Port}
server() ->
    {kz_config:get(<<"bigcouch">>, <<"ip">>, <<"localhost">>),
     binary_to_integer(kz_config:get(<<"bigcouch">>, <<"port">>, <<"5984">>))}.

%% Whether it lets this node in, not only whether something answers.
is_up() ->
    case request(get, "/_all_dbs", none) of
        {200, _} -> true;
        _ -> false
    end.

db_create(Db) ->
    {Code, _} = request(put, "/" ++ Db, <<>>),
    Code =:= 201 orelse Code =:= 412.

%% ok | conflict | {error, Code or reason}
save_doc(Db, Id, Json) ->
    case request(put, "/" ++ Db ++ "/" ++ Id, Json) of
        {Code, _} when Code =:= 201; Code =:= 202 -> ok;
        {409, _} -> conflict;
        {Code, _} -> {error, Code}
    end.

open_doc(Db, Id) ->
    case request(get, "/" ++ Db ++ "/" ++ Id, none) of
        {200, Json} -> {ok, Json};
        {404, _} -> {error, not_found};
        {Code, _} -> {error, Code}
    end.

request(Method, Path, Body) ->
    {Host, Port} = server(),
    Url = lists:flatten(io_lib:format("http://~s:~b~s", [Host, Port, Path])),
    Request = case Body of
                  none -> {Url, headers()};
                  _ -> {Url, headers(), "application/json", Body}
              end,
    case httpc:request(Method, Request, [{timeout, 5000}, {connect_timeout, 3000}], [{body_format, binary}]) of
        {ok, {{_, Code, _}, _, Answer}} -> {Code, Answer};
        {error, Reason} -> {Reason, <<>>}
    end.

headers() ->
    case kz_config:get(<<"bigcouch">>, <<"username">>, undefined) of
        undefined -> [];
        User ->
            Password = kz_config:get(<<"bigcouch">>, <<"password">>, <<>>),
            [{"authorization", "Basic " ++ base64:encode_to_string(<<User/binary, ":", Password/binary>>)}]
    end.
