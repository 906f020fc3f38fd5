%% One connection to one broker, by AMQP 0-9-1: the handshake with credentials, then heartbeats, for as long as it lasts.
-module(kz_amqp_connection).
-export([open/1]).

-define(FRAME_METHOD, 1).
-define(FRAME_HEARTBEAT, 8).
-define(HEARTBEAT, 5).

%% Opens a connection and stays in it; returns why it ended. Tells its manager when it is usable.
open(Uri) ->
    #{user := User, password := Password, host := Host, port := Port} = parse(Uri),
    case gen_tcp:connect(binary_to_list(Host), Port, [binary, {active, false}, {packet, raw}], 3000) of
        {ok, Socket} ->
            try
                ok = gen_tcp:send(Socket, <<"AMQP", 0, 0, 9, 1>>),
                {10, 10, _Start} = method(Socket),
                Response = <<0, User/binary, 0, Password/binary>>,
                send(Socket, 10, 11, <<0:32, 5, "PLAIN", (byte_size(Response)):32, Response/binary, 5, "en_US">>),
                {10, 30, <<Channels:16, FrameMax:32, _/binary>>} = method(Socket),
                send(Socket, 10, 31, <<Channels:16, FrameMax:32, ?HEARTBEAT:16>>),
                send(Socket, 10, 40, <<1, "/", 0, 0>>),
                {10, 41, _OpenOk} = method(Socket),
                kz_amqp_connections:connected(Uri),
                stay(Socket, 0)
            catch
                error:{badmatch, Unexpected} -> Unexpected
            after
                gen_tcp:close(Socket)
            end;
        {error, Reason} -> Reason
    end.

%% A broker that says nothing for two heartbeats is gone.
stay(_Socket, 2) -> silent;
stay(Socket, Missed) ->
    case frame(Socket, ?HEARTBEAT * 1000) of
        {?FRAME_METHOD, <<10:16, 50:16, _/binary>>} ->
            send(Socket, 10, 51, <<>>),
            closed_by_broker;
        {error, timeout} ->
            case gen_tcp:send(Socket, <<?FRAME_HEARTBEAT, 0:16, 0:32, 16#CE>>) of
                ok -> stay(Socket, Missed + 1);
                {error, Reason} -> Reason
            end;
        {error, Reason} -> Reason;
        {_Type, _Payload} -> stay(Socket, 0)
    end.

send(Socket, Class, Method, Arguments) ->
    Payload = <<Class:16, Method:16, Arguments/binary>>,
    ok = gen_tcp:send(Socket, <<?FRAME_METHOD, 0:16, (byte_size(Payload)):32, Payload/binary, 16#CE>>).

method(Socket) ->
    case frame(Socket, 5000) of
        {?FRAME_METHOD, <<Class:16, Method:16, Arguments/binary>>} -> {Class, Method, Arguments};
        {error, Reason} -> {error, Reason}
    end.

frame(Socket, Timeout) ->
    case gen_tcp:recv(Socket, 7, Timeout) of
        {ok, <<Type, _Channel:16, Size:32>>} ->
            case gen_tcp:recv(Socket, Size + 1, Timeout) of
                {ok, <<Payload:Size/binary, 16#CE>>} -> {Type, Payload};
                {error, Reason} -> {error, Reason}
            end;
        {error, Reason} -> {error, Reason}
    end.

parse(<<"amqp://", Rest/binary>>) ->
    [Credentials, Address] = binary:split(Rest, <<"@">>),
    [User, Password] = binary:split(Credentials, <<":">>),
    [Host, Port] = binary:split(Address, <<":">>),
    #{user => decode(User), password => decode(Password), host => Host, port => binary_to_integer(Port)}.

decode(<<"%", Hex:2/binary, Rest/binary>>) -> <<(binary_to_integer(Hex, 16)), (decode(Rest))/binary>>;
decode(<<Character, Rest/binary>>) -> <<Character, (decode(Rest))/binary>>;
decode(<<>>) -> <<>>.
