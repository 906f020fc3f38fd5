%% Reads the config.ini that KAZOO_CONFIG names, logs all of it as Kazoo does, and understands it likewise: a section with a host counts on that host
%% alone, and the node's zone is the one in the section of its short name.
-module(kz_config).
-export([load/0, zone/0, zones/0, get/3]).

load() ->
    {ok, Text} = file:read_file(os:getenv("KAZOO_CONFIG", "/etc/kazoo/config.ini")),
    Sections = parse(Text),
    io:format("loaded settings : ~p~n", [[{Name, [{Key, text(Value)} || {Key, Value} <- Props]} || {Name, Props} <- Sections]]),
    application:set_env(kazoo_config, sections, Sections).

%% Kazoo has texts as lists, which Erlang breaks over lines where they are long.
text(Value) -> binary_to_list(Value).

%% The first value of a key in the sections of a name that count here.
get(Section, Key, Default) ->
    case [V || Props <- local(Section), {K, V} <- Props, K =:= Key] of
        [Value | _] -> Value;
        [] -> Default
    end.

zone() ->
    [Name, _] = binary:split(atom_to_binary(node(), utf8), <<"@">>),
    get(Name, <<"zone">>, <<"local">>).

%% [{Zone, [Uri]}], the brokers sorted as Kazoo prefers them. Kazoo adds one on localhost where its own zone has none.
zones() ->
    Blocks = [{proplists:get_value(<<"name">>, Props), lists:sort([Uri || {<<"amqp_uri">>, Uri} <- Props])}
              || {<<"zone">>, Props} <- sections()],
    case lists:keymember(zone(), 1, Blocks) of
        true -> Blocks;
        false -> [{zone(), [<<"amqp://guest:guest@localhost:5672">>]} | Blocks]
    end.

local(Section) ->
    Host = own_host(),
    [Props || {Name, Props} <- sections(), Name =:= Section,
              lists:member(proplists:get_value(<<"host">>, Props, Host), [Host])].

own_host() ->
    {ok, Short} = inet:gethostname(),
    case inet:gethostbyname(Short) of
        {ok, Hostent} -> list_to_binary(element(2, Hostent));
        {error, _} -> list_to_binary(Short)
    end.

sections() ->
    {ok, Sections} = application:get_env(kazoo_config, sections),
    Sections.

parse(Text) ->
    Lines = [Line || Line <- binary:split(Text, <<"\n">>, [global]), Line =/= <<>>, binary:first(Line) =/= $;],
    lists:reverse([{Name, lists:reverse(Props)} || {Name, Props} <- lists:foldl(fun line/2, [], Lines)]).

line(<<"[", Rest/binary>>, Sections) ->
    [{binary:part(Rest, 0, byte_size(Rest) - 1), []} | Sections];
line(Line, [{Name, Props} | Sections]) ->
    [Key, Value] = binary:split(Line, <<" = ">>),
    [{Name, [{Key, unquote(Value)} | Props]} | Sections].

unquote(<<"\"", Rest/binary>>) -> binary:part(Rest, 0, byte_size(Rest) - 1);
unquote(Value) -> Value.
