--
-- PostgreSQL database dump
--


-- Dumped from database version 18.4
-- Dumped by pg_dump version 18.4

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: ostiary; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA ostiary;


--
-- Name: add_partitions(text, timestamp with time zone, timestamp with time zone); Type: FUNCTION; Schema: ostiary; Owner: -
--

CREATE FUNCTION ostiary.add_partitions(parent text, first_moment timestamp with time zone, last_moment timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
DECLARE
  month timestamptz := date_trunc('month', first_moment, 'UTC');
  following timestamptz;
  child text;
  is_taken boolean;
  made integer := 0;
BEGIN
  WHILE month <= last_moment LOOP
    following := date_trunc('month', month + interval '32 days', 'UTC');
    child := parent || to_char(month AT TIME ZONE 'UTC', '"_y"YYYY"m"MM');
    IF to_regclass(format('ostiary.%I', child)) IS NULL THEN
      EXECUTE format('SELECT EXISTS (SELECT FROM ostiary.%I WHERE id >= %L AND id < %L)',
                     parent || '_default', ostiary.first_id_at(month), ostiary.first_id_at(following)) INTO is_taken;
      IF NOT is_taken THEN
        EXECUTE format('CREATE TABLE ostiary.%I (LIKE ostiary.%I INCLUDING ALL)', child, parent);
        EXECUTE format('ALTER TABLE ostiary.%I ATTACH PARTITION ostiary.%I FOR VALUES FROM (%L) TO (%L)',
                       parent, child, ostiary.first_id_at(month), ostiary.first_id_at(following));
        made := made + 1;
      END IF;
    END IF;
    month := following;
  END LOOP;
  RETURN made;
END $$;


--
-- Name: delete_identity_of_profile(); Type: FUNCTION; Schema: ostiary; Owner: -
--

CREATE FUNCTION ostiary.delete_identity_of_profile() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    EXECUTE 'DELETE FROM ostiary.identities WHERE id IN (SELECT identity_id FROM '
      || quote_ident(TG_TABLE_SCHEMA) || '.' || quote_ident(TG_TABLE_NAME) || ')';
  ELSE
    DELETE FROM ostiary.identities WHERE id = OLD.identity_id;
  END IF;
  RETURN NULL;
END $$;


--
-- Name: drop_partitions(text, timestamp with time zone); Type: FUNCTION; Schema: ostiary; Owner: -
--

CREATE FUNCTION ostiary.drop_partitions(parent text, before timestamp with time zone) RETURNS TABLE(child text, estimated_rows bigint)
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $_$
BEGIN
  FOR child, estimated_rows IN
    SELECT relname::text, greatest(reltuples, 0)::bigint
      FROM pg_catalog.pg_inherits JOIN pg_catalog.pg_class ON oid = inhrelid
     WHERE inhparent = format('ostiary.%I', parent)::regclass
       AND relname ~ '_y[0-9]{4}m[0-9]{2}$'
       AND (to_date(right(relname, 8), '"y"YYYY"m"MM') + interval '1 month') AT TIME ZONE 'UTC' <= before
     ORDER BY relname
  LOOP
    IF parent = 'audit_events' THEN
      EXECUTE format('UPDATE ostiary.audit_purge_mark SET through_seq = greatest(through_seq, '
                     '(SELECT max(seq) FROM ostiary.%I))', child);
    END IF;
    EXECUTE format('DROP TABLE ostiary.%I', child);
    RETURN NEXT;
  END LOOP;
END $_$;


--
-- Name: empty_login_history(); Type: FUNCTION; Schema: ostiary; Owner: -
--

CREATE FUNCTION ostiary.empty_login_history() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
BEGIN
  UPDATE ostiary.login_history SET ip_address = NULL, user_agent = NULL, device = NULL
   WHERE identity_id = OLD.id AND (ip_address IS NOT NULL OR user_agent IS NOT NULL OR device IS NOT NULL);
  RETURN NULL;
END $$;


--
-- Name: first_id_at(timestamp with time zone); Type: FUNCTION; Schema: ostiary; Owner: -
--

CREATE FUNCTION ostiary.first_id_at(moment timestamp with time zone) RETURNS uuid
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    AS $$
  SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;


--
-- Name: keep_audit_events(); Type: FUNCTION; Schema: ostiary; Owner: -
--

CREATE FUNCTION ostiary.keep_audit_events() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.seq <= (SELECT through_seq FROM ostiary.audit_purge_mark) THEN
      RETURN OLD;
    END IF;
  END IF;
  RAISE EXCEPTION 'Audit events are append-only: only rows up to the purge mark may be deleted.';
END $$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: admins; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.admins (
    id uuid NOT NULL,
    identity_id uuid NOT NULL,
    display_name text,
    given_name text,
    family_name text,
    locale text,
    time_zone text,
    avatar_url text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone
);


--
-- Name: audit_seq; Type: SEQUENCE; Schema: ostiary; Owner: -
--

CREATE SEQUENCE ostiary.audit_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: audit_events; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.audit_events (
    id uuid NOT NULL,
    seq bigint DEFAULT nextval('ostiary.audit_seq'::regclass) NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    action text NOT NULL,
    actor_kind text,
    actor_id text,
    target_kind text,
    target_id text,
    session_id uuid,
    ip_address text,
    user_agent text,
    success boolean NOT NULL,
    reason text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL
)
PARTITION BY RANGE (id);


--
-- Name: audit_events_default; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.audit_events_default (
    id uuid CONSTRAINT audit_events_id_not_null NOT NULL,
    seq bigint DEFAULT nextval('ostiary.audit_seq'::regclass) CONSTRAINT audit_events_seq_not_null NOT NULL,
    occurred_at timestamp with time zone CONSTRAINT audit_events_occurred_at_not_null NOT NULL,
    action text CONSTRAINT audit_events_action_not_null NOT NULL,
    actor_kind text,
    actor_id text,
    target_kind text,
    target_id text,
    session_id uuid,
    ip_address text,
    user_agent text,
    success boolean CONSTRAINT audit_events_success_not_null NOT NULL,
    reason text,
    metadata jsonb DEFAULT '{}'::jsonb CONSTRAINT audit_events_metadata_not_null NOT NULL
);


--
-- Name: audit_events_y2026m11; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.audit_events_y2026m11 (
    id uuid CONSTRAINT audit_events_id_not_null NOT NULL,
    seq bigint DEFAULT nextval('ostiary.audit_seq'::regclass) CONSTRAINT audit_events_seq_not_null NOT NULL,
    occurred_at timestamp with time zone CONSTRAINT audit_events_occurred_at_not_null NOT NULL,
    action text CONSTRAINT audit_events_action_not_null NOT NULL,
    actor_kind text,
    actor_id text,
    target_kind text,
    target_id text,
    session_id uuid,
    ip_address text,
    user_agent text,
    success boolean CONSTRAINT audit_events_success_not_null NOT NULL,
    reason text,
    metadata jsonb DEFAULT '{}'::jsonb CONSTRAINT audit_events_metadata_not_null NOT NULL
);


--
-- Name: audit_events_y2026m12; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.audit_events_y2026m12 (
    id uuid CONSTRAINT audit_events_id_not_null NOT NULL,
    seq bigint DEFAULT nextval('ostiary.audit_seq'::regclass) CONSTRAINT audit_events_seq_not_null NOT NULL,
    occurred_at timestamp with time zone CONSTRAINT audit_events_occurred_at_not_null NOT NULL,
    action text CONSTRAINT audit_events_action_not_null NOT NULL,
    actor_kind text,
    actor_id text,
    target_kind text,
    target_id text,
    session_id uuid,
    ip_address text,
    user_agent text,
    success boolean CONSTRAINT audit_events_success_not_null NOT NULL,
    reason text,
    metadata jsonb DEFAULT '{}'::jsonb CONSTRAINT audit_events_metadata_not_null NOT NULL
);


--
-- Name: audit_events_y2027m01; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.audit_events_y2027m01 (
    id uuid CONSTRAINT audit_events_id_not_null NOT NULL,
    seq bigint DEFAULT nextval('ostiary.audit_seq'::regclass) CONSTRAINT audit_events_seq_not_null NOT NULL,
    occurred_at timestamp with time zone CONSTRAINT audit_events_occurred_at_not_null NOT NULL,
    action text CONSTRAINT audit_events_action_not_null NOT NULL,
    actor_kind text,
    actor_id text,
    target_kind text,
    target_id text,
    session_id uuid,
    ip_address text,
    user_agent text,
    success boolean CONSTRAINT audit_events_success_not_null NOT NULL,
    reason text,
    metadata jsonb DEFAULT '{}'::jsonb CONSTRAINT audit_events_metadata_not_null NOT NULL
);


--
-- Name: audit_events_y2027m02; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.audit_events_y2027m02 (
    id uuid CONSTRAINT audit_events_id_not_null NOT NULL,
    seq bigint DEFAULT nextval('ostiary.audit_seq'::regclass) CONSTRAINT audit_events_seq_not_null NOT NULL,
    occurred_at timestamp with time zone CONSTRAINT audit_events_occurred_at_not_null NOT NULL,
    action text CONSTRAINT audit_events_action_not_null NOT NULL,
    actor_kind text,
    actor_id text,
    target_kind text,
    target_id text,
    session_id uuid,
    ip_address text,
    user_agent text,
    success boolean CONSTRAINT audit_events_success_not_null NOT NULL,
    reason text,
    metadata jsonb DEFAULT '{}'::jsonb CONSTRAINT audit_events_metadata_not_null NOT NULL
);


--
-- Name: audit_keys; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.audit_keys (
    id text NOT NULL,
    identity_id uuid NOT NULL,
    key_sealed bytea NOT NULL,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: audit_purge_mark; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.audit_purge_mark (
    id integer NOT NULL,
    through_seq bigint NOT NULL,
    CONSTRAINT ck_audit_purge_mark_id CHECK ((id = 1))
);


--
-- Name: audit_seals; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.audit_seals (
    from_seq bigint NOT NULL,
    to_seq bigint NOT NULL,
    events integer NOT NULL,
    leaves bytea NOT NULL,
    merkle_root bytea NOT NULL,
    previous_root bytea NOT NULL,
    signature bytea NOT NULL,
    sealed_at timestamp with time zone NOT NULL
);


--
-- Name: ceremonies; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.ceremonies (
    id uuid NOT NULL,
    kind text NOT NULL,
    identity_id uuid,
    session_id uuid,
    flow_id uuid,
    secret_digest bytea NOT NULL,
    challenge bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    consumed_at timestamp with time zone,
    CONSTRAINT ck_ceremonies_kind CHECK ((kind = ANY (ARRAY['registration'::text, 'authentication'::text])))
);


--
-- Name: challenges; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.challenges (
    id uuid NOT NULL,
    identity_id uuid,
    payload_sealed bytea,
    purpose text NOT NULL,
    entity_type text DEFAULT ''::text NOT NULL,
    destination text NOT NULL,
    format text NOT NULL,
    secret_digest bytea NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    max_attempts integer NOT NULL,
    flow_id uuid,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    consumed_at timestamp with time zone,
    CONSTRAINT ck_challenges_format CHECK ((format = ANY (ARRAY['link'::text, 'code'::text]))),
    CONSTRAINT ck_challenges_purpose CHECK ((purpose = ANY (ARRAY['register'::text, 'verify_email'::text, 'verify_phone'::text, 'change_email'::text, 'change_phone'::text, 'undo_address_change'::text, 'reset_password'::text, 'sign_in_link'::text, 'sign_in_code'::text, 'mfa_email'::text, 'mfa_sms'::text, 'undo_factor_reset'::text, 'invite'::text, 'bootstrap'::text, 'undo_deletion'::text, 'merge'::text])))
);


--
-- Name: data_keys; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.data_keys (
    id uuid NOT NULL,
    purpose text NOT NULL,
    number integer NOT NULL,
    wrapped_key bytea NOT NULL,
    kek_version integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    retired_at timestamp with time zone,
    CONSTRAINT ck_data_keys_purpose CHECK ((purpose = ANY (ARRAY['installation'::text, 'vault'::text])))
);


--
-- Name: erasures; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.erasures (
    id uuid NOT NULL,
    identity_id uuid NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    requested_by text NOT NULL,
    status_before text NOT NULL,
    erase_after timestamp with time zone NOT NULL,
    cancelled_at timestamp with time zone,
    completed_at timestamp with time zone,
    erased jsonb DEFAULT '{}'::jsonb NOT NULL
);


--
-- Name: factor_resets; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.factor_resets (
    id uuid NOT NULL,
    identity_id uuid NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    approved_at timestamp with time zone,
    approved_by text,
    takes_effect_at timestamp with time zone,
    completed_at timestamp with time zone,
    cancelled_at timestamp with time zone,
    cancelled_by text
);


--
-- Name: identities; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.identities (
    id uuid NOT NULL,
    entity_type text NOT NULL,
    entity_id text NOT NULL,
    email text,
    email_normalized text,
    email_verified_at timestamp with time zone,
    phone text,
    phone_verified_at timestamp with time zone,
    password_hash text,
    password_scheme text,
    password_params_id text,
    password_changed_at timestamp with time zone,
    must_change_password boolean DEFAULT false NOT NULL,
    status text NOT NULL,
    failed_login_attempts integer DEFAULT 0 NOT NULL,
    locked_until timestamp with time zone,
    last_login_at timestamp with time zone,
    token_epoch integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    locale text,
    CONSTRAINT ck_identities_failed_login_attempts CHECK ((failed_login_attempts >= 0)),
    CONSTRAINT ck_identities_status CHECK ((status = ANY (ARRAY['pending_verification'::text, 'active'::text, 'suspended'::text, 'deleted'::text])))
);


--
-- Name: linked_accounts; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.linked_accounts (
    id uuid NOT NULL,
    identity_id uuid NOT NULL,
    entity_type text NOT NULL,
    provider text NOT NULL,
    provider_account_id text NOT NULL,
    access_token bytea,
    refresh_token bytea,
    id_token bytea,
    data_key_id uuid,
    access_token_expires_at timestamp with time zone,
    refresh_token_expires_at timestamp with time zone,
    scope text,
    token_type text,
    profile jsonb DEFAULT '{}'::jsonb NOT NULL,
    linked_by text NOT NULL,
    needs_reconnection boolean DEFAULT false NOT NULL,
    refresh_claim uuid,
    refresh_claimed_until timestamp with time zone,
    refresh_begun_at timestamp with time zone,
    refresh_failures integer DEFAULT 0 NOT NULL,
    refresh_not_before timestamp with time zone,
    last_token_refresh_at timestamp with time zone,
    last_used_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_linked_accounts_linked_by CHECK ((linked_by = ANY (ARRAY['sign_in'::text, 'intent'::text])))
);


--
-- Name: login_history; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.login_history (
    id uuid NOT NULL,
    identity_id uuid,
    session_id uuid,
    occurred_at timestamp with time zone NOT NULL,
    provider text,
    method text,
    success boolean NOT NULL,
    failure_reason text,
    ip_address text,
    user_agent text,
    session_ended_at timestamp with time zone,
    device bytea
)
PARTITION BY RANGE (id);


--
-- Name: login_history_default; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.login_history_default (
    id uuid CONSTRAINT login_history_id_not_null NOT NULL,
    identity_id uuid,
    session_id uuid,
    occurred_at timestamp with time zone CONSTRAINT login_history_occurred_at_not_null NOT NULL,
    provider text,
    method text,
    success boolean CONSTRAINT login_history_success_not_null NOT NULL,
    failure_reason text,
    ip_address text,
    user_agent text,
    session_ended_at timestamp with time zone,
    device bytea
);


--
-- Name: login_history_y2026m11; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.login_history_y2026m11 (
    id uuid CONSTRAINT login_history_id_not_null NOT NULL,
    identity_id uuid,
    session_id uuid,
    occurred_at timestamp with time zone CONSTRAINT login_history_occurred_at_not_null NOT NULL,
    provider text,
    method text,
    success boolean CONSTRAINT login_history_success_not_null NOT NULL,
    failure_reason text,
    ip_address text,
    user_agent text,
    session_ended_at timestamp with time zone,
    device bytea
);


--
-- Name: login_history_y2026m12; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.login_history_y2026m12 (
    id uuid CONSTRAINT login_history_id_not_null NOT NULL,
    identity_id uuid,
    session_id uuid,
    occurred_at timestamp with time zone CONSTRAINT login_history_occurred_at_not_null NOT NULL,
    provider text,
    method text,
    success boolean CONSTRAINT login_history_success_not_null NOT NULL,
    failure_reason text,
    ip_address text,
    user_agent text,
    session_ended_at timestamp with time zone,
    device bytea
);


--
-- Name: login_history_y2027m01; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.login_history_y2027m01 (
    id uuid CONSTRAINT login_history_id_not_null NOT NULL,
    identity_id uuid,
    session_id uuid,
    occurred_at timestamp with time zone CONSTRAINT login_history_occurred_at_not_null NOT NULL,
    provider text,
    method text,
    success boolean CONSTRAINT login_history_success_not_null NOT NULL,
    failure_reason text,
    ip_address text,
    user_agent text,
    session_ended_at timestamp with time zone,
    device bytea
);


--
-- Name: login_history_y2027m02; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.login_history_y2027m02 (
    id uuid CONSTRAINT login_history_id_not_null NOT NULL,
    identity_id uuid,
    session_id uuid,
    occurred_at timestamp with time zone CONSTRAINT login_history_occurred_at_not_null NOT NULL,
    provider text,
    method text,
    success boolean CONSTRAINT login_history_success_not_null NOT NULL,
    failure_reason text,
    ip_address text,
    user_agent text,
    session_ended_at timestamp with time zone,
    device bytea
);


--
-- Name: maintenance_runs; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.maintenance_runs (
    id uuid NOT NULL,
    task text NOT NULL,
    holder text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    leased_until timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    removed bigint DEFAULT 0 NOT NULL,
    outcome text,
    detail text,
    CONSTRAINT ck_maintenance_runs_outcome CHECK ((outcome = ANY (ARRAY['done'::text, 'interrupted'::text, 'failed'::text])))
);


--
-- Name: message_factors; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.message_factors (
    id uuid NOT NULL,
    identity_id uuid NOT NULL,
    channel text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone,
    CONSTRAINT ck_message_factors_channel CHECK ((channel = ANY (ARRAY['email'::text, 'sms'::text])))
);


--
-- Name: onboarding_sessions; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.onboarding_sessions (
    id uuid NOT NULL,
    identity_id uuid NOT NULL,
    flow text NOT NULL,
    current_step text,
    step_data jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    completed_at timestamp with time zone
);


--
-- Name: ostiary_alembic_version; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.ostiary_alembic_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: outbox; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.outbox (
    id uuid NOT NULL,
    topic text NOT NULL,
    endpoint_id uuid,
    subject text NOT NULL,
    payload_sealed bytea,
    dedupe_key text,
    created_at timestamp with time zone NOT NULL,
    available_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    claimed_until timestamp with time zone,
    delivered_at timestamp with time zone,
    failed_at timestamp with time zone,
    last_error text,
    recipient_digest bytea,
    CONSTRAINT ck_outbox_topic CHECK ((topic = ANY (ARRAY['email'::text, 'sms'::text, 'event'::text, 'webhook'::text])))
);


--
-- Name: passkeys; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.passkeys (
    id uuid NOT NULL,
    identity_id uuid NOT NULL,
    credential_id bytea NOT NULL,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    aaguid text NOT NULL,
    transports jsonb DEFAULT '[]'::jsonb NOT NULL,
    backup_eligible boolean NOT NULL,
    backed_up boolean NOT NULL,
    label text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone,
    clone_suspected_at timestamp with time zone
);


--
-- Name: rate_limits; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.rate_limits (
    key bytea NOT NULL,
    count integer NOT NULL,
    window_ends_at timestamp with time zone NOT NULL
);


--
-- Name: received_logouts; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.received_logouts (
    provider text NOT NULL,
    token_id text NOT NULL,
    expires_at timestamp with time zone NOT NULL
);


--
-- Name: recovery_codes; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.recovery_codes (
    id uuid NOT NULL,
    identity_id uuid NOT NULL,
    code_mac bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone
);


--
-- Name: refresh_tokens; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.refresh_tokens (
    id uuid NOT NULL,
    session_id uuid NOT NULL,
    parent_id uuid,
    secret_digest bytea NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    consumed_at timestamp with time zone,
    successor_sealed bytea
);


--
-- Name: remembered_devices; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.remembered_devices (
    id uuid NOT NULL,
    identity_id uuid NOT NULL,
    secret_digest bytea NOT NULL,
    label text NOT NULL,
    ip_address text,
    created_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);


--
-- Name: restore_guard; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.restore_guard (
    id integer NOT NULL,
    fingerprint text NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_restore_guard_id CHECK ((id = 1))
);


--
-- Name: revocation_seq; Type: SEQUENCE; Schema: ostiary; Owner: -
--

CREATE SEQUENCE ostiary.revocation_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: revocations; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.revocations (
    seq bigint DEFAULT nextval('ostiary.revocation_seq'::regclass) NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    identity_id uuid,
    min_epoch integer,
    not_before timestamp with time zone,
    expires_at timestamp with time zone NOT NULL,
    reason text,
    revoked_by text,
    revoked_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_revocations_kind CHECK ((kind = ANY (ARRAY['token'::text, 'session'::text, 'identity'::text, 'client'::text, 'all'::text])))
);


--
-- Name: role_grants; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.role_grants (
    identity_id uuid NOT NULL,
    role_id uuid NOT NULL,
    granted_by text,
    granted_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone
);


--
-- Name: role_permissions; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.role_permissions (
    role_id uuid NOT NULL,
    permission text NOT NULL
);


--
-- Name: roles; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.roles (
    id uuid NOT NULL,
    name text NOT NULL,
    description text,
    declared boolean DEFAULT false NOT NULL
);


--
-- Name: service_credentials; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.service_credentials (
    id uuid NOT NULL,
    identity_id uuid NOT NULL,
    secret_digest bytea NOT NULL,
    scopes jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    created_by text,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone
);


--
-- Name: services; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.services (
    id uuid NOT NULL,
    identity_id uuid NOT NULL,
    display_name text,
    given_name text,
    family_name text,
    locale text,
    time_zone text,
    avatar_url text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone
);


--
-- Name: sessions; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.sessions (
    id uuid NOT NULL,
    identity_id uuid NOT NULL,
    ip_address text,
    user_agent text,
    device_label text,
    amr jsonb DEFAULT '[]'::jsonb NOT NULL,
    authenticated_at timestamp with time zone NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone NOT NULL,
    idle_expires_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    end_reason text,
    linked_account_id uuid,
    provider_session_id text
);


--
-- Name: sign_in_flows; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.sign_in_flows (
    id uuid NOT NULL,
    identity_id uuid NOT NULL,
    secret_digest bytea NOT NULL,
    token_epoch integer NOT NULL,
    provider text NOT NULL,
    method text NOT NULL,
    completed jsonb NOT NULL,
    required jsonb NOT NULL,
    enrolling uuid,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    consumed_at timestamp with time zone,
    linked_account_id uuid,
    provider_session_id text
);


--
-- Name: signing_keys; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.signing_keys (
    kid text NOT NULL,
    algorithm text NOT NULL,
    public_jwk jsonb NOT NULL,
    private_key bytea,
    state text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    activates_at timestamp with time zone,
    retires_at timestamp with time zone,
    CONSTRAINT ck_signing_keys_state CHECK ((state = ANY (ARRAY['next'::text, 'active'::text, 'retiring'::text, 'retired'::text])))
);


--
-- Name: totp_factors; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.totp_factors (
    id uuid NOT NULL,
    identity_id uuid NOT NULL,
    secret_sealed bytea NOT NULL,
    label text NOT NULL,
    last_used_step bigint,
    created_at timestamp with time zone NOT NULL,
    confirmed_at timestamp with time zone,
    last_used_at timestamp with time zone
);


--
-- Name: unknown_identifiers; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.unknown_identifiers (
    subject bytea NOT NULL,
    failed_login_attempts integer DEFAULT 0 NOT NULL,
    locked_until timestamp with time zone,
    expires_at timestamp with time zone NOT NULL
);


--
-- Name: upstream_flows; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.upstream_flows (
    id uuid NOT NULL,
    provider text NOT NULL,
    intent text NOT NULL,
    entity_type text DEFAULT ''::text NOT NULL,
    identity_id uuid,
    session_id uuid,
    secret_digest bytea NOT NULL,
    browser_digest bytea,
    sealed bytea,
    return_to text,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    consumed_at timestamp with time zone,
    CONSTRAINT ck_upstream_flows_intent CHECK ((intent = ANY (ARRAY['sign_in'::text, 'link'::text, 'nonce'::text])))
);


--
-- Name: users; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.users (
    id uuid NOT NULL,
    identity_id uuid NOT NULL,
    display_name text,
    given_name text,
    family_name text,
    locale text,
    time_zone text,
    avatar_url text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone
);


--
-- Name: webhook_endpoints; Type: TABLE; Schema: ostiary; Owner: -
--

CREATE TABLE ostiary.webhook_endpoints (
    id uuid NOT NULL,
    url text NOT NULL,
    description text,
    events jsonb NOT NULL,
    secret_sealed bytea NOT NULL,
    previous_secret_sealed bytea,
    previous_expires_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    created_by text,
    disabled_at timestamp with time zone
);


--
-- Name: audit_events_default; Type: TABLE ATTACH; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.audit_events ATTACH PARTITION ostiary.audit_events_default DEFAULT;


--
-- Name: audit_events_y2026m11; Type: TABLE ATTACH; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.audit_events ATTACH PARTITION ostiary.audit_events_y2026m11 FOR VALUES FROM ('01a19467-e800-0000-0000-000000000000') TO ('01a22ee6-b000-0000-0000-000000000000');


--
-- Name: audit_events_y2026m12; Type: TABLE ATTACH; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.audit_events ATTACH PARTITION ostiary.audit_events_y2026m12 FOR VALUES FROM ('01a22ee6-b000-0000-0000-000000000000') TO ('01a2ce8b-d400-0000-0000-000000000000');


--
-- Name: audit_events_y2027m01; Type: TABLE ATTACH; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.audit_events ATTACH PARTITION ostiary.audit_events_y2027m01 FOR VALUES FROM ('01a2ce8b-d400-0000-0000-000000000000') TO ('01a36e30-f800-0000-0000-000000000000');


--
-- Name: audit_events_y2027m02; Type: TABLE ATTACH; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.audit_events ATTACH PARTITION ostiary.audit_events_y2027m02 FOR VALUES FROM ('01a36e30-f800-0000-0000-000000000000') TO ('01a3fe63-0800-0000-0000-000000000000');


--
-- Name: login_history_default; Type: TABLE ATTACH; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.login_history ATTACH PARTITION ostiary.login_history_default DEFAULT;


--
-- Name: login_history_y2026m11; Type: TABLE ATTACH; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.login_history ATTACH PARTITION ostiary.login_history_y2026m11 FOR VALUES FROM ('01a19467-e800-0000-0000-000000000000') TO ('01a22ee6-b000-0000-0000-000000000000');


--
-- Name: login_history_y2026m12; Type: TABLE ATTACH; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.login_history ATTACH PARTITION ostiary.login_history_y2026m12 FOR VALUES FROM ('01a22ee6-b000-0000-0000-000000000000') TO ('01a2ce8b-d400-0000-0000-000000000000');


--
-- Name: login_history_y2027m01; Type: TABLE ATTACH; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.login_history ATTACH PARTITION ostiary.login_history_y2027m01 FOR VALUES FROM ('01a2ce8b-d400-0000-0000-000000000000') TO ('01a36e30-f800-0000-0000-000000000000');


--
-- Name: login_history_y2027m02; Type: TABLE ATTACH; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.login_history ATTACH PARTITION ostiary.login_history_y2027m02 FOR VALUES FROM ('01a36e30-f800-0000-0000-000000000000') TO ('01a3fe63-0800-0000-0000-000000000000');


--
-- Data for Name: admins; Type: TABLE DATA; Schema: ostiary; Owner: -
--



--
-- Data for Name: audit_events_default; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.audit_events_default VALUES
	('019cf5df-a280-7000-9a2a-861d235e9be9', 1, '2026-03-16 09:00:00+00', 'signing_key:key:published', 'system', NULL, 'signing_key', '01kktxz8m0e00bjsc3w7hbvfer', NULL, NULL, NULL, true, NULL, '{"algorithm": "ES256", "activates_at": "2026-03-16T09:00:00+00:00"}'),
	('019cf5df-a280-7000-b22f-ab1bf66cfdf3', 2, '2026-03-16 09:00:00+00', 'signing_key:key:activated', 'system', NULL, 'signing_key', '01kktxz8m0e00bjsc3w7hbvfer', NULL, NULL, NULL, true, NULL, '{"algorithm": "ES256", "activates_at": "2026-03-16T09:00:00+00:00"}'),
	('019cf5df-a280-7000-a604-541fd780975b', 3, '2026-03-16 09:00:00+00', 'role:role:created', 'system', NULL, 'role', 'ostiary:operator', NULL, NULL, NULL, true, NULL, '{}'),
	('019cf5df-a280-7000-82fb-3da55bb6aad6', 4, '2026-03-16 09:00:00+00', 'role:role:declared', 'system', NULL, 'role', 'ostiary:operator', NULL, NULL, NULL, true, NULL, '{}'),
	('019cf5df-a280-7000-a4c3-22b5f804db7e', 5, '2026-03-16 09:00:00+00', 'identity:account:registered', 'anonymous', NULL, 'identity', 'idn_01kktxz8m0e00b6mcwdf3cvemz', NULL, NULL, NULL, true, NULL, '{"origin": {"key": "aky_01kktxz8m0e0095qepg4tc1mtz", "sealed": "AXcS75mav1gBUKbLdLAvR5sx6jLa5gCrxT4H4J3H7zmpw4OoWi2xBW4vmnW6ZrYyI9qdXsT+1S2wBBH9aMEigSoFr7Jt88rS4E1d9vLC2+BOnBoaVgLSZ1mKwg=="}, "entity_type": "user"}'),
	('019cf5df-a280-7000-ad02-f5fec8d8743a', 6, '2026-03-16 09:00:00+00', 'identity:session:started', 'identity', 'idn_01kktxz8m0e00b6mcwdf3cvemz', 'identity', 'idn_01kktxz8m0e00b6mcwdf3cvemz', '019cf5df-a280-7000-b4f2-404caae2c969', NULL, NULL, true, NULL, '{"origin": {"key": "aky_01kktxz8m0e0095qepg4tc1mtz", "sealed": "AbTJKl6d8qTE8AbKh4BgiAcr5ytB83KT/W0ip8rrIzFGHsvcbRkTWcsdAxR95Hpg0MWgmg89BZiCEHTTKEZFuXQahUgAGC7PbilYsBq1uC7xo0FEy216mWE9Iw=="}}'),
	('019cf5df-a280-7000-baa6-368a988e5721', 7, '2026-03-16 09:00:00+00', 'identity:session:started', 'identity', 'idn_01kktxz8m0e00b6mcwdf3cvemz', 'identity', 'idn_01kktxz8m0e00b6mcwdf3cvemz', '019cf5df-a280-7000-84e8-5e1ff8f9523a', NULL, NULL, true, NULL, '{"origin": {"key": "aky_01kktxz8m0e0095qepg4tc1mtz", "sealed": "AYeoBAAJMdT4YtJiFSnw+KxUbkoLoZjhVT3yJr3T1NnvtvyCfEVj+vZ47bCZjrh5U0pdN9WFdqxuKn4R0bbgj1NiI5+RSxB8D7zX5gwMOg44+c3aOIsbbwhNLw=="}}'),
	('019cf5e0-8ce0-7000-8c98-8b42774760c4', 8, '2026-03-16 09:01:00+00', 'identity:account:registered', 'anonymous', NULL, 'identity', 'idn_01kkty1370e00baknnrjccsk6r', NULL, NULL, NULL, true, NULL, '{"origin": {"key": "aky_01kkty1370e00admyj4t6zke0w", "sealed": "AdPTswdoulSuHYrSuruUMvREOhpob0Q7qYjma/P2Swfcpu2y/mZ+kttoB/gq0+RISnP+jIO7Bod+hMR/+y0fhHAdFy+Ye8DseMYHbH6Qz40JQmZb/RIsg9jyJA=="}, "entity_type": "user"}'),
	('019cf5e0-8ce0-7000-aefa-d1fbc8353eba', 9, '2026-03-16 09:01:00+00', 'identity:session:started', 'identity', 'idn_01kkty1370e00baknnrjccsk6r', 'identity', 'idn_01kkty1370e00baknnrjccsk6r', '019cf5e0-8ce0-7000-b131-cc18caf901ff', NULL, NULL, true, NULL, '{"origin": {"key": "aky_01kkty1370e00admyj4t6zke0w", "sealed": "AbGUcRlTlS/OcKcMT34f2Sre9/ArD91x4XTnOZ9OswWMHyrRN2T/DSNdL1ZfaqtKmHA48RZ1h0r9DD3MRL9LlVs11gOH+LZ09UUf0mOPJLwAcsNtOzNpjts9FA=="}}'),
	('019cf5e0-8ce0-7000-bd04-93b447928e50', 10, '2026-03-16 09:01:00+00', 'identity:session:started', 'identity', 'idn_01kkty1370e00baknnrjccsk6r', 'identity', 'idn_01kkty1370e00baknnrjccsk6r', '019cf5e0-8ce0-7000-a411-b56f5e13eb22', NULL, NULL, true, NULL, '{"origin": {"key": "aky_01kkty1370e00admyj4t6zke0w", "sealed": "ATJRk5HIoMM1ZRbHOGR0JAnv0yAPJlTko7X9GFgEmcpYby3ocB64ntQDSEmfcitHqCQ0edoxhyDYNgPNc/f5aC6VjOehJ6tGeKKxFBRj9OGzrN+trhUfek43RQ=="}}'),
	('019cf5e1-7740-7000-a835-8a582e9d30e9', 11, '2026-03-16 09:02:00+00', 'identity:account:registered', 'anonymous', NULL, 'identity', 'idn_01kkty2xt0e008g3kfjrs59rtz', NULL, NULL, NULL, true, NULL, '{"origin": {"key": "aky_01kkty2xt0e009hx6ysns9qqqg", "sealed": "AUjn+EZ2/HSDF5b24yTWFNaYrbHcOP7QUxdPvo6lv8TLvKeqbBS/hq3Rj8HyX2mraqnzkJpQMH0xwyqvHHaHZSis+FjMyOBm2Kn6Qj7ItUoaFLM5/EvzvjEfXA=="}, "entity_type": "user"}'),
	('019cf5e1-7740-7000-aec5-5a66373e9676', 12, '2026-03-16 09:02:00+00', 'identity:session:started', 'identity', 'idn_01kkty2xt0e008g3kfjrs59rtz', 'identity', 'idn_01kkty2xt0e008g3kfjrs59rtz', '019cf5e1-7740-7000-94c9-dad856537b6f', NULL, NULL, true, NULL, '{"origin": {"key": "aky_01kkty2xt0e009hx6ysns9qqqg", "sealed": "AdxRgKtIZqLKlTyaOHPoZHZLw+ZFahNgg+GkKAD7WJYmB74j1a//UCPXFnk+mE07mSqMyh8ymkgqgGYBq8p7BLDpDmuMlSczzAeTAj+l2GKUB0pVq03TtAUChA=="}}'),
	('019cf5e1-7740-7000-bdc6-e501f15a9e10', 13, '2026-03-16 09:02:00+00', 'identity:session:started', 'identity', 'idn_01kkty2xt0e008g3kfjrs59rtz', 'identity', 'idn_01kkty2xt0e008g3kfjrs59rtz', '019cf5e1-7740-7000-aad6-2a39f9ce5f22', NULL, NULL, true, NULL, '{"origin": {"key": "aky_01kkty2xt0e009hx6ysns9qqqg", "sealed": "AbiWFH0dEsBptHsdvVUjuDtP5or2DhEvjpFgkcBxWT7w+fqz7GRdZlsa4TIAubvBEt0gKgXtOo6NT07Vo6gh3ItwRrkPrMOLfmmsRXm1rpPJfVvUZd0IR6Z3sg=="}}'),
	('019cf5e2-61a0-7000-b7d1-933a31a34fb6', 14, '2026-03-16 09:03:00+00', 'identity:account:registered', 'anonymous', NULL, 'identity', 'idn_01kkty4rd0e009fx9swpm8jr8z', NULL, NULL, NULL, true, NULL, '{"origin": {"key": "aky_01kkty4rd0e008b5jgq1drf41a", "sealed": "AR+vdBMa2fVAzuTFO1t7uSrmDV9ydGyqW22ts1fYMym2cB2rItJvvLfph3ZF20LcUssE0kFjUsWSSsFDdwuNw7Nj4GJPuzYIuU5WTZK5NxQ7c0w21QxMu6L9Vg=="}, "entity_type": "user"}'),
	('019cf5e2-61a0-7000-b581-d7a42119b8a7', 15, '2026-03-16 09:03:00+00', 'identity:session:started', 'identity', 'idn_01kkty4rd0e009fx9swpm8jr8z', 'identity', 'idn_01kkty4rd0e009fx9swpm8jr8z', '019cf5e2-61a0-7000-8eb5-6998cc52c40f', NULL, NULL, true, NULL, '{"origin": {"key": "aky_01kkty4rd0e008b5jgq1drf41a", "sealed": "AXZnejXwZP5M2aB34DSaFMEplOqDfBCpl7MbbE93gWsuX0Eeb2GhmWW6ttY7tAvMez4Vi3jSidJ7qVPVhEl45tvTAYf0q2F18XbC35NX51sA3jzMO6yuNOEM2w=="}}'),
	('019cf5e2-61a0-7000-a17e-0e25f6474a11', 16, '2026-03-16 09:03:00+00', 'identity:session:started', 'identity', 'idn_01kkty4rd0e009fx9swpm8jr8z', 'identity', 'idn_01kkty4rd0e009fx9swpm8jr8z', '019cf5e2-61a0-7000-b5b4-8f57682f51ca', NULL, NULL, true, NULL, '{"origin": {"key": "aky_01kkty4rd0e008b5jgq1drf41a", "sealed": "AV8IFkpnzppmTbCEliieIP/Qx54Z5TsZVEiGPOcaMks2wgN74ejtkfGaKNfk/glLff7R3ztutUfI6HPhEQ23Q+4VdHABVXibguZnLxBLrX0oaAnvkAQDdAqJyg=="}}'),
	('019cf5e3-4c00-7000-a9e7-612843ea88f9', 17, '2026-03-16 09:04:00+00', 'role:role:created', 'system', NULL, 'role', 'editor', NULL, NULL, NULL, true, NULL, '{}'),
	('019cf5e3-4c00-7000-86ed-fb7e1c54cbca', 18, '2026-03-16 09:04:00+00', 'role:permission:added', 'system', NULL, 'role', 'editor', NULL, NULL, NULL, true, NULL, '{"permissions": ["pages:write"]}'),
	('019cf5e3-4c00-7000-8f7f-4b5c7a910e57', 19, '2026-03-16 09:04:00+00', 'role:grant:added', 'system', NULL, 'identity', 'idn_01kktxz8m0e00b6mcwdf3cvemz', NULL, NULL, NULL, true, 'editor', '{}'),
	('019cf5e3-4c00-7000-bb4a-41a984e471fd', 20, '2026-03-16 09:04:00+00', 'identity:onboarding:started', 'identity', 'idn_01kktxz8m0e00b6mcwdf3cvemz', 'identity', 'idn_01kktxz8m0e00b6mcwdf3cvemz', '019cf5df-a280-7000-84e8-5e1ff8f9523a', NULL, NULL, true, 'welcome', '{"origin": {"key": "aky_01kktxz8m0e0095qepg4tc1mtz", "sealed": "AcJijTvojaJL+7bQe+Pp9Yhn5csufEFWyxztErcEIQZv/3qYpuhGkpYEc63upZPq/KfpAusZtnGvqFJrjo102l4CWHh/r/t21XlNWclYTHdXjbP5VzstxdGKbQ=="}}'),
	('019cf5e3-4c00-7000-b559-0c94a57e9fa2', 21, '2026-03-16 09:04:00+00', 'identity:onboarding:step_saved', 'identity', 'idn_01kktxz8m0e00b6mcwdf3cvemz', 'identity', 'idn_01kktxz8m0e00b6mcwdf3cvemz', '019cf5df-a280-7000-84e8-5e1ff8f9523a', NULL, NULL, true, 'welcome.about', '{"origin": {"key": "aky_01kktxz8m0e0095qepg4tc1mtz", "sealed": "AbVLPDzOd9CH246LU+stNz/E/xlW+KGYHMg8OyLYXA/Muvq4985l6LGJFQJym4wvEwPMQ0xK8nTSnlw46ZOSUzHoCD8hkA/P6gG0Uik35Mm2nWfDm1gBNitjAA=="}}'),
	('019cf5e3-4c00-7000-8212-30716739e51d', 22, '2026-03-16 09:04:00+00', 'identity:factor:begun', 'identity', 'idn_01kkty1370e00baknnrjccsk6r', 'identity', 'idn_01kkty1370e00baknnrjccsk6r', '019cf5e0-8ce0-7000-a411-b56f5e13eb22', NULL, NULL, true, NULL, '{"factor": "totp", "origin": {"key": "aky_01kkty1370e00admyj4t6zke0w", "sealed": "AWI+iT+QB5tn3D4foHojaTB82tzHBOE124qbey9Jfcsjf5fq0BO2maXK8n/LdUpwM6jSHLXAg0ZD/+3WUBmp4iWdoHaIh+c7emhEbiL4LtxJ0H5jXf8GCcS18Q=="}}'),
	('019cf5e3-4c00-7000-9e49-4575bc36d320', 23, '2026-03-16 09:04:00+00', 'identity:factor:added', 'identity', 'idn_01kkty1370e00baknnrjccsk6r', 'identity', 'idn_01kkty1370e00baknnrjccsk6r', '019cf5e0-8ce0-7000-a411-b56f5e13eb22', NULL, NULL, true, NULL, '{"factor": "totp", "origin": {"key": "aky_01kkty1370e00admyj4t6zke0w", "sealed": "AeCfC+/DpR6HKhW+WsnzkfB4R4cloDovwGFTCu8zn+ciGmGfwMOciruJCBeHp3l3N2q8yk1hfA1KsS6oxKmmN1AQ0p3HNo7Jm01Owu1swoFnKvewG5LiIHUHmA=="}}'),
	('019cf5e3-4c00-7000-aada-0448c4636d44', 24, '2026-03-16 09:04:00+00', 'identity:session:factor_required', 'identity', 'idn_01kkty1370e00baknnrjccsk6r', 'identity', 'idn_01kkty1370e00baknnrjccsk6r', NULL, NULL, NULL, true, NULL, '{"origin": {"key": "aky_01kkty1370e00admyj4t6zke0w", "sealed": "AUS2+sA67Ag24QGFXWhoVCgTPhj5VkzZ/yknBd0YogY1YGLnAol4N2735JlD/f3mgGBfDRMTaA4Z12HHFS3guFQgc2U4VoNMzAbn9CIZYyIxqglcVMa1i8MfMw=="}}'),
	('019cf5e3-4c00-7000-bc97-7082d323a4b8', 25, '2026-03-16 09:04:00+00', 'identity:factor:added', 'identity', 'idn_01kkty2xt0e008g3kfjrs59rtz', 'identity', 'idn_01kkty2xt0e008g3kfjrs59rtz', '019cf5e1-7740-7000-aad6-2a39f9ce5f22', NULL, NULL, true, NULL, '{"factor": "passkey", "origin": {"key": "aky_01kkty2xt0e009hx6ysns9qqqg", "sealed": "ARwll8zGSBdhlDHTqUucjW55YgX/CQltAUMPmzNMxI4HbIu9o79i0XFfjkh3gb+pmQroSYCM9X7AqXDixTybANi1a/5SjnbTsYKIQb+RsgsCKx6AbD98MSIAeA=="}}'),
	('019cf5e3-4c00-7000-9206-60687917d69a', 26, '2026-03-16 09:04:00+00', 'identity:password:reset_requested', 'anonymous', NULL, 'identity', 'idn_01kkty2xt0e008g3kfjrs59rtz', NULL, NULL, NULL, true, NULL, '{"origin": {"key": "aky_01kkty2xt0e009hx6ysns9qqqg", "sealed": "ASRdK6fG1YPxM5NZart+jhge9eqLxtIW4YkWO9RWfAuhI8IEahCQDnWaQlzMfCkQaPakhiYJ/UnfH1L9/R/bCVgMUV5Aw40K0VxXmKG/GHJUfk7nslWt3HACFg=="}}'),
	('019cf5e3-4c00-7000-97be-425cce95968e', 27, '2026-03-16 09:04:00+00', 'session:session:ended', 'identity', 'idn_01kkty4rd0e009fx9swpm8jr8z', 'identity', 'idn_01kkty4rd0e009fx9swpm8jr8z', '019cf5e2-61a0-7000-b5b4-8f57682f51ca', NULL, NULL, true, NULL, '{"origin": {"key": "aky_01kkty4rd0e008b5jgq1drf41a", "sealed": "AWXD9U6KkluVHQtFT8FUfNj/HLZ3+b1kPmUQfa5cvIbsUIxqLOb7iVg+LJ3yPMqunX7bvVcdyPHjWfaJ53ugiDgL4UECkCFalOo8yPr+ifHe/KTqCoC3xcMggQ=="}}'),
	('019cf5e3-4c00-7000-ac11-2a573c6a0086', 28, '2026-03-16 09:04:00+00', 'identity:account:registered', 'system', NULL, 'identity', 'idn_01kkty6k00e0094hckqmxmq0sj', NULL, NULL, NULL, true, NULL, '{"entity_type": "service"}'),
	('019cf5e3-4c00-7000-ba8a-bac38073a576', 29, '2026-03-16 09:04:00+00', 'service:credential:issued', 'system', NULL, 'service_credential', 'svc_01kkty6k00e00azj8rex07yrww', NULL, NULL, NULL, true, NULL, '{}');


--
-- Data for Name: audit_events_y2026m11; Type: TABLE DATA; Schema: ostiary; Owner: -
--



--
-- Data for Name: audit_events_y2026m12; Type: TABLE DATA; Schema: ostiary; Owner: -
--



--
-- Data for Name: audit_events_y2027m01; Type: TABLE DATA; Schema: ostiary; Owner: -
--



--
-- Data for Name: audit_events_y2027m02; Type: TABLE DATA; Schema: ostiary; Owner: -
--



--
-- Data for Name: audit_keys; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.audit_keys VALUES
	('aky_01kktxz8m0e0095qepg4tc1mtz', '019cf5df-a280-7000-b351-9c6bc6cdba9f', '\x00000001019aefeb2f964d478e425a364e8078251eaa7850d90063702f45248750b3a3625c7b638ef72f71b744993ad92141af8c864b698e9c76d19ac833f4ca9c', '2026-03-16 09:00:00+00'),
	('aky_01kkty1370e00admyj4t6zke0w', '019cf5e0-8ce0-7000-b54e-b5c498ccccd8', '\x000000010164cf32ba58d4a689172629d1cc7a53e016a78a6a6022b2aff2e4909d778bdd8e3fecf946398c5f9a248598376906a68af1cc9cd87aa34c81a1f1870c', '2026-03-16 09:01:00+00'),
	('aky_01kkty2xt0e009hx6ysns9qqqg', '019cf5e1-7740-7000-880e-6f963254e35f', '\x00000001017cd97d27680d41cb06bd57b657edd9ccef879d2cd52707564e92ab305fca1310038560514dbf2acdc0ac6eb464582de9a2db33b3a8a70ea68ba8c550', '2026-03-16 09:02:00+00'),
	('aky_01kkty4rd0e008b5jgq1drf41a', '019cf5e2-61a0-7000-97f5-39e5a889611f', '\x0000000101375104d6513b4d13f0563e989a7a88092e3e10383dca797fbefbb5cd586d70c3170394b3857ab6240b68a5b306e3df6ad0e6d2e9111024cf02f17e65', '2026-03-16 09:03:00+00');


--
-- Data for Name: audit_purge_mark; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.audit_purge_mark VALUES
	(1, 0);


--
-- Data for Name: audit_seals; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.audit_seals VALUES
	(1, 29, 29, '\x0000000000000001019cf5dfa28070009a2a861d235e9be98103d4f6bbb73da70c7a274c14f2ac4c9a956256bf60eb8f38a2059ada469ec30000000000000002019cf5dfa2807000b22fab1bf66cfdf3cbbb15c2ca7abbd44fe9a4ee3369f400d77d8645897ba3207da32b307464e4c80000000000000003019cf5dfa2807000a604541fd780975b24abde95bbc7c3a37fffab73ff4ffc0b3f9f6f5241a12cb132eb0dd077e3905c0000000000000004019cf5dfa280700082fb3da55bb6aad664385e8f99a8502e8993e2b4a791cd8402e9a4e2c301b8a3389fc68119a76e8f0000000000000005019cf5dfa2807000a4c322b5f804db7e8593e4279c7998c9d6bc27c5c16b690b3809deec9a4e9ab3903ed8a5e86fa9b50000000000000006019cf5dfa2807000ad02f5fec8d8743a026c92ae36b25a5445092e56a093dfb41439cb700f7afcb09d1371562e7fdfeb0000000000000007019cf5dfa2807000baa6368a988e57214836b2c4ba75f1e3ea65dcc2ed0239a303e823c6fc0105fc72001171d8cb966b0000000000000008019cf5e08ce070008c988b42774760c4f1db9d9c4fda32c61f0775fe03bc443ff5c88f64343e4482620d74de265f39d10000000000000009019cf5e08ce07000aefad1fbc8353eba892e6ba7e6c66cdb2b7a7c0dfa467c34de97cc7fd4f19c19c682b77ab9e73941000000000000000a019cf5e08ce07000bd0493b447928e50e37d406af19e983453e28c7a8c6fd185bc75ae3992b87590dfddee7f4b28f43c000000000000000b019cf5e177407000a8358a582e9d30e93e50fd4256544dd8b4e5cbd084a48696407128c7836c1d5b1c3eb8e2bcbd4fa5000000000000000c019cf5e177407000aec55a66373e96765b95f0da83c76fc79a665ec00ceadba09628eddd2d244bbd9902fd12763a32c6000000000000000d019cf5e177407000bdc6e501f15a9e1084602f350c153f04d0bdc900d3dbac415706190ceb87a52d8f239526226704fc000000000000000e019cf5e261a07000b7d1933a31a34fb6a537ff11021e6cb665adf23004e8f8ce7e608e754a4d4af00fbbc3514205656d000000000000000f019cf5e261a07000b581d7a42119b8a72a5f49595eccd57d924796c27c7132e9960032034b4a081668b81522db80c10b0000000000000010019cf5e261a07000a17e0e25f6474a11675ab43c3cbfc8d478288df30daf665181daed577e25c125a4f838e21464be540000000000000011019cf5e34c007000a9e7612843ea88f9b202abe16a9ad99c36d876c88869e7c597a1d612588131a35968e10a51891fed0000000000000012019cf5e34c00700086edfb7e1c54cbca0182b902b6cbf0c836b5e30100815636a159aea97c4870ec4bcb7afc5fe653b30000000000000013019cf5e34c0070008f7f4b5c7a910e57d80d76e38a0745675572c7544f0accd8c12e1ce12aef549aeb2fa5d665b3043b0000000000000014019cf5e34c007000bb4a41a984e471fde90cf9d208225c09282809f53574f37bafaf542b5895a839d88add9f73c2e4970000000000000015019cf5e34c007000b5590c94a57e9fa259df08d11dade65d51c3a4611259fd8b699e0ddda17f12d5417d76dd8eae7e0c0000000000000016019cf5e34c007000821230716739e51d6373b09558a5ec61d5701257dfa43d940d514980ee024e92f116e8c6f10ee91a0000000000000017019cf5e34c0070009e494575bc36d320a4d1eb5b2324fa2ef497ee06885d1433f99b9a8b0966733f1a283d1c08e5323d0000000000000018019cf5e34c007000aada0448c4636d44f7ff337c9d3915165f893e17e73666265b014c83df677a437c17056ea1e1818d0000000000000019019cf5e34c007000bc977082d323a4b87532bb21a8b60ee082fe2974073bafb56f2074ee4e3eca18f3c4b44feb0b56af000000000000001a019cf5e34c007000920660687917d69a50b160d4122aa675b256eeed279bb6ff56ccae916d756d4fb0190fd33c28e084000000000000001b019cf5e34c00700097be425cce95968e40fe542a5c9319607905d9a8a8413d4eee01410de72fbaba5c8beeb34353bf86000000000000001c019cf5e34c007000ac112a573c6a0086c2c81fed6baf893e2dbf201ee80c59d059693c53ab0cdaf828790c8a8f7edbd5000000000000001d019cf5e34c007000ba8abac38073a576a36f93c0485eea6418a56ab5f28053ee72fd46780b7cde2fb21e6d0d3e0c24e5', '\x05a307df818969465e0e7e868f35e159088e227bc1d587dc6e01ac70caa93f1f', '\x0000000000000000000000000000000000000000000000000000000000000000', '\x385a57b3801fa73d6c6357e98e2e37774a17ef4d222459b45d02ec8df74e75a6', '2026-03-16 09:04:00+00');


--
-- Data for Name: ceremonies; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.ceremonies VALUES
	('019cf5e3-4c00-7000-8d92-a224ad3a3757', 'registration', '019cf5e1-7740-7000-880e-6f963254e35f', '019cf5e1-7740-7000-aad6-2a39f9ce5f22', NULL, '\x11ed8e4c573f25c4819311b3033b8ee9556f93c4c9b62f1c0bf063762c972d06', '\x834689ee59b400f2c58021f3e7a17e795efbcafeba7f28225cd53638cbf022fd', '2026-03-16 09:04:00+00', '2026-03-16 09:09:00+00', '2026-03-16 09:04:00+00');


--
-- Data for Name: challenges; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.challenges VALUES
	('019cf5df-a280-7000-a19e-67d30f3a7f6c', '019cf5df-a280-7000-b351-9c6bc6cdba9f', '\x0182289d9cc474d35aaa9ede1e4ce738363a4013bd5886191e48311dea18c79fc8bff081401be08be3e0aaf5', 'verify_email', '', 'ada@example.org', 'link', '\x67d37d729e39a369abe195ff7048b7bdd26409ece2e095e446255dae3129401d', 0, 1, NULL, '2026-03-16 09:00:00+00', '2026-03-16 09:30:00+00', NULL),
	('019cf5e2-61a0-7000-ac5e-361ea2808376', '019cf5e2-61a0-7000-97f5-39e5a889611f', '\x01e44a382c054fb72ec601d126a031f2409a735fee8f652f10672a7a8ace647cfda23bdea2c5a13a46f98edcd2', 'verify_email', '', 'dora@example.org', 'link', '\x750e2ee859a2a79d95d7cd99d21ed1576c35cd11b58d804819a595f864474501', 0, 1, NULL, '2026-03-16 09:03:00+00', '2026-03-16 09:33:00+00', NULL),
	('019cf5e3-4c00-7000-baed-6b471edadd5a', '019cf5e1-7740-7000-880e-6f963254e35f', '\x0175bed24001d1a0c1bf72fed04b51fba88732d65640d0d868c939a879099f10a67ad779668ff6e0a247bb3aaa', 'reset_password', '', 'cleo@example.org', 'link', '\x9815d0afafc27e48b84503005d9e2c2adeae11721af7ee4080da7950bf7fbf42', 0, 1, NULL, '2026-03-16 09:04:00+00', '2026-03-16 09:34:00+00', NULL);


--
-- Data for Name: data_keys; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.data_keys VALUES
	('019cf5df-a280-7000-83c8-e9c1cf7dd3b0', 'installation', 1, '\x00000001014a17e14a82c988fb1df5c77f7471a22bac716c115d4bf38672615d13633526cadaeddc6e9276b0c61efd7c2dce539d788850a0eed9efbcc44734c583', 1, '2026-03-16 09:00:00+00', NULL),
	('019cf5df-a280-7000-9626-0e7d685edd52', 'vault', 1, '\x0000000101c6b221972041993bdace27ea9edbaff053c30d2af63885d391a5defa56802eac9b9b1e712fea9455978846a0940136f2152b5e27e08abbbcdefca490', 1, '2026-03-16 09:00:00+00', NULL);


--
-- Data for Name: erasures; Type: TABLE DATA; Schema: ostiary; Owner: -
--



--
-- Data for Name: factor_resets; Type: TABLE DATA; Schema: ostiary; Owner: -
--



--
-- Data for Name: identities; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.identities VALUES
	('019cf5df-a280-7000-b351-9c6bc6cdba9f', 'user', 'usr_01kktxz8m0e00bz9q78gaeh297', 'ada@example.org', 'ada@example.org', NULL, NULL, NULL, '$argon2id$v=19$m=8,t=1,p=1$lEg8DOS1s4BM+2DUbNrlYw$1vzvYRjdn/n3jiEQ8eQv0sVAq+5dCymESvjc0tsj6ig', 'argon2id', NULL, '2026-03-16 09:00:00+00', false, 'active', 0, NULL, '2026-03-16 09:00:00+00', 0, '2026-03-16 09:00:00+00', '2026-03-16 09:00:00+00', NULL, NULL),
	('019cf5e1-7740-7000-880e-6f963254e35f', 'user', 'usr_01kkty2xt0e008vm4zqzdjj04y', 'cleo@example.org', 'cleo@example.org', NULL, NULL, NULL, '$argon2id$v=19$m=8,t=1,p=1$ObpctSA0UCfOPfQTmQv0MA$e/KGd5+Ov4HExH+qvFQKuypNALAoDCFmncEQS+E4Weg', 'argon2id', NULL, '2026-03-16 09:02:00+00', false, 'active', 0, NULL, '2026-03-16 09:02:00+00', 0, '2026-03-16 09:02:00+00', '2026-03-16 09:02:00+00', NULL, NULL),
	('019cf5e2-61a0-7000-97f5-39e5a889611f', 'user', 'usr_01kkty4rd0e009mrf64g8cfp8z', 'dora@example.org', 'dora@example.org', NULL, NULL, NULL, '$argon2id$v=19$m=8,t=1,p=1$p0hZAlOVYHl/XpjUNmmNTA$+cW+iZMk5OPlGpiG60wh+w7CTiI6wOZ2PLuimgaA0Qw', 'argon2id', NULL, '2026-03-16 09:03:00+00', false, 'active', 0, NULL, '2026-03-16 09:03:00+00', 0, '2026-03-16 09:03:00+00', '2026-03-16 09:03:00+00', NULL, NULL),
	('019cf5e0-8ce0-7000-b54e-b5c498ccccd8', 'user', 'usr_01kkty1370e00byfrfhwamnwn8', 'bob@example.org', 'bob@example.org', NULL, NULL, NULL, '$argon2id$v=19$m=8,t=1,p=1$2UJfSVEN+j4biE/abC/zCQ$1N7N7Hfn59a4Fs03Q9MhI4DZqQ3NuwufIF1g/ozf/gA', 'argon2id', NULL, '2026-03-16 09:01:00+00', false, 'active', 2, NULL, '2026-03-16 09:01:00+00', 0, '2026-03-16 09:01:00+00', '2026-03-16 09:01:00+00', NULL, NULL),
	('019cf5e3-4c00-7000-9245-93bd3b4b8332', 'service', 'svc_01kkty6k00e0081pvpdhghrwhz', 'reports@example.org', 'reports@example.org', NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 'active', 0, NULL, NULL, 0, '2026-03-16 09:04:00+00', '2026-03-16 09:04:00+00', NULL, NULL);


--
-- Data for Name: linked_accounts; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.linked_accounts VALUES
	('019cf5e3-4c00-7000-8f19-67bdc007779f', '019cf5df-a280-7000-b351-9c6bc6cdba9f', 'user', 'acme', 'acme-ada', '\x019cf5dfa280700096260e7d685edd52017aec9fe3caaea3535d7e68edbb509561a8cd9da905f24eab2a0dc35225699986ff403cd358deade550cba30e5240631d0d04b2', '\x019cf5dfa280700096260e7d685edd52014cf67fbeaf3b69af3be7586f3ba2c2405aca49131f10b319b3255df27dfed330312301f850f5c28af8b8ac574fe1848ede4323', NULL, '019cf5df-a280-7000-9626-0e7d685edd52', NULL, NULL, 'calendar', 'Bearer', '{"name": "Ada"}', 'intent', false, NULL, NULL, NULL, 0, NULL, NULL, '2026-03-16 09:04:00+00', '2026-03-16 09:04:00+00', '2026-03-16 09:04:00+00');


--
-- Data for Name: login_history_default; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.login_history_default VALUES
	('019cf5df-a280-7000-baeb-a310b9692e7b', '019cf5df-a280-7000-b351-9c6bc6cdba9f', '019cf5df-a280-7000-b4f2-404caae2c969', '2026-03-16 09:00:00+00', 'ostiary', 'password', true, NULL, '127.0.0.1', 'python-httpx2/2.16.2', NULL, '\xc246a6eaf5ac92843b88fe784d182161b221cf4d6d86e83e7a19a86e20907bd8'),
	('019cf5df-a280-7000-a624-ff8309580a26', '019cf5df-a280-7000-b351-9c6bc6cdba9f', '019cf5df-a280-7000-84e8-5e1ff8f9523a', '2026-03-16 09:00:00+00', 'ostiary', 'password', true, NULL, '127.0.0.1', 'python-httpx2/2.16.2', NULL, '\xc246a6eaf5ac92843b88fe784d182161b221cf4d6d86e83e7a19a86e20907bd8'),
	('019cf5e0-8ce0-7000-8a87-2a4865fe5bd8', '019cf5e0-8ce0-7000-b54e-b5c498ccccd8', '019cf5e0-8ce0-7000-a411-b56f5e13eb22', '2026-03-16 09:01:00+00', 'ostiary', 'password', true, NULL, '127.0.0.1', 'python-httpx2/2.16.2', NULL, '\x7d171461c88aa7b041f061e5e1dde1a65d77648245bb4e536ac11bb3265d3105'),
	('019cf5e1-7740-7000-80c5-9dcbc43e983a', '019cf5e1-7740-7000-880e-6f963254e35f', '019cf5e1-7740-7000-aad6-2a39f9ce5f22', '2026-03-16 09:02:00+00', 'ostiary', 'password', true, NULL, '127.0.0.1', 'python-httpx2/2.16.2', NULL, '\x5b8c043ea78eef976d4e1f6dd039e4fca118c854eacd9e9483f0fab6cd1b7a1a'),
	('019cf5e2-61a0-7000-80cc-ef010272ae3f', '019cf5e2-61a0-7000-97f5-39e5a889611f', '019cf5e2-61a0-7000-8eb5-6998cc52c40f', '2026-03-16 09:03:00+00', 'ostiary', 'password', true, NULL, '127.0.0.1', 'python-httpx2/2.16.2', NULL, '\x5cb0274a67d3a839ea6b99d277ee4011e899909a3c58472f8e9c949e9f4ed5a9'),
	('019cf5e0-8ce0-7000-82b6-13f2985fdd3f', '019cf5e0-8ce0-7000-b54e-b5c498ccccd8', '019cf5e0-8ce0-7000-b131-cc18caf901ff', '2026-03-16 09:01:00+00', 'ostiary', 'password', true, NULL, '127.0.0.1', 'python-httpx2/2.16.2', '2026-03-16 09:04:00+00', '\x7d171461c88aa7b041f061e5e1dde1a65d77648245bb4e536ac11bb3265d3105'),
	('019cf5e1-7740-7000-9c29-d45b5f8df737', '019cf5e1-7740-7000-880e-6f963254e35f', '019cf5e1-7740-7000-94c9-dad856537b6f', '2026-03-16 09:02:00+00', 'ostiary', 'password', true, NULL, '127.0.0.1', 'python-httpx2/2.16.2', '2026-03-16 09:04:00+00', '\x5b8c043ea78eef976d4e1f6dd039e4fca118c854eacd9e9483f0fab6cd1b7a1a'),
	('019cf5e2-61a0-7000-ba3c-004d2b958cee', '019cf5e2-61a0-7000-97f5-39e5a889611f', '019cf5e2-61a0-7000-b5b4-8f57682f51ca', '2026-03-16 09:03:00+00', 'ostiary', 'password', true, NULL, '127.0.0.1', 'python-httpx2/2.16.2', '2026-03-16 09:04:00+00', '\x5cb0274a67d3a839ea6b99d277ee4011e899909a3c58472f8e9c949e9f4ed5a9');


--
-- Data for Name: login_history_y2026m11; Type: TABLE DATA; Schema: ostiary; Owner: -
--



--
-- Data for Name: login_history_y2026m12; Type: TABLE DATA; Schema: ostiary; Owner: -
--



--
-- Data for Name: login_history_y2027m01; Type: TABLE DATA; Schema: ostiary; Owner: -
--



--
-- Data for Name: login_history_y2027m02; Type: TABLE DATA; Schema: ostiary; Owner: -
--



--
-- Data for Name: maintenance_runs; Type: TABLE DATA; Schema: ostiary; Owner: -
--



--
-- Data for Name: message_factors; Type: TABLE DATA; Schema: ostiary; Owner: -
--



--
-- Data for Name: onboarding_sessions; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.onboarding_sessions VALUES
	('019cf5e3-4c00-7000-a2ca-f092f3286e74', '019cf5df-a280-7000-b351-9c6bc6cdba9f', 'welcome', 'extras', '{"about": {"data": {"name": "Ada"}}}', '2026-03-16 09:04:00+00', '2026-03-16 09:04:00+00', '2026-04-15 09:04:00+00', NULL);


--
-- Data for Name: ostiary_alembic_version; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.ostiary_alembic_version VALUES
	('0004');


--
-- Data for Name: outbox; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.outbox VALUES
	('019cf5df-a280-7000-89a5-3be5f3d4b130', 'email', NULL, 'verify_email', '\x01e27741d08baf3de7e1ad5737e58d411ef1d2a5ae9974b72a34779f87e2307318ea206b9e1bdead037325cc4a8c10170b05b31886b42aab060cd6f560c7faf5d7576997567382ae0e9673ea088fe425054c2a22acd222b51c7670e2c8481134160735b118cd9187c83e3b203344459e9d5b9d6d630dd3a8e10e6762049b1df5924b7e93509606b877a94a7e56258d0b95eb85cf592eac30e3f20e54fb6f58a798a407162ab69b58617efd643eb316184d75731971db07fdbe1d0150', NULL, '2026-03-16 09:00:00+00', '2026-03-16 09:00:00+00', '2026-03-16 09:30:00+00', 0, NULL, NULL, NULL, NULL, '\x0c2c5e7840e2484be445c4c02fe8d8b402ebc5fa9674673b985692e5a51810d9'),
	('019cf5e0-8ce0-7000-819c-c8e552ff61e8', 'email', NULL, 'verify_email', '\x01cc87c81ff3313ac0072918b889ef13cf01419368524965c410919b57cae22e1a85aff7416ab5bd332dd7d51edec932bb79e6e0c60ea167810b1c806c5baa6b1537ebd50cbb34092fb5b747ef73ce3f085e3b845d4d01c0f7ab27dc61428243c20e4474d4f87c4b0e1114c131ea73a4cad7e259f6a369e0214e29725894d158c26df61be15ad9cf2e4e74a70c8efd0ad90e459aff7dc6855617f630a462662edcc8203689329977201e365c2e066b4e27cf9953321299b2abd54322', NULL, '2026-03-16 09:01:00+00', '2026-03-16 09:01:00+00', '2026-03-16 09:31:00+00', 0, NULL, NULL, NULL, NULL, '\x79076ea848f34b2f768a830c7d1ff783f42b8b77c83f6a04bb8eca8e5711439b'),
	('019cf5e1-7740-7000-acdf-d9efe56f5c77', 'email', NULL, 'verify_email', '\x01d2c972e9364de6a8ac492d538048e2b1793c5ccea2c734fa4bbab4d5574731db96ffa1a667c9296ea136ca8b2b98ee1cb3f023cc97ebe5e6119abbd314c5a4de6502dea2b2a32f114508a1bd3dae7195c243a4b8e7a88449071a785651b10a5c43b6942133672951fb1739a25d1229b3141f3a2d61e71eb6559435c8ccf3f669e148c0a838a1f43230d6081e553f26b97845d0edee70df2519f5d77090585dcd67a00f5e36d305a91ebc59bf2ac48596d7c7d0ea4256d82f41368de2', NULL, '2026-03-16 09:02:00+00', '2026-03-16 09:02:00+00', '2026-03-16 09:32:00+00', 0, NULL, NULL, NULL, NULL, '\x55c432a844d9496601c77a4cff9d547607cd3910eaa8d151efd72246e445ed99'),
	('019cf5e2-61a0-7000-bd4b-f3a946b1b2c4', 'email', NULL, 'verify_email', '\x0176705fb48c28d7268d95928a38ea00afe51c5ea4b42b22405e8d5ca0f1a517e4396ef9412122f148bf33cd8e831d453c96cf0a0366a6d7b456432fb7751d95cf3525f6b7bbc0533e6d8afe55826f1ca8fd915f393ad6db036f8c537af800b882a8ee24317c722477fc190622e08fda65539491614c2f9c7efcd85e091c1490dd6b29c8154cfeea0e691310fe3ff32297755047ae93e5d4b66e9bf51bb836db464a4b58866739609d9e69509fa7980c5177f413d1469422e2b7fb8710', NULL, '2026-03-16 09:03:00+00', '2026-03-16 09:03:00+00', '2026-03-16 09:33:00+00', 0, NULL, NULL, NULL, NULL, '\x08fe1bb472f16eba5e5b6a0fc754973d0d962ecea59e6b11cde55da13dfdf4c2'),
	('019cf5e3-4c00-7000-b416-f69237ef3a9c', 'email', NULL, 'factor_added', '\x01cbcede680310625628dac9d62ff874c2cf466d94dbff1473fdd6b78be8a3ad259334e8c1d1d8456aa71d35a89fa905ab877c37311f7406f145c50a7ff170a517617a471740d5651163a9b70dc0531effc589ddc7903867b6bd5dd8d6fa4a30691d7b2717509b389de57802bcad1826df193b60729bc6ae888164f9f2c4c6af2bb28e4b5d6641c0b7bbc3bcc9684c424c747b', NULL, '2026-03-16 09:04:00+00', '2026-03-16 09:04:00+00', NULL, 0, NULL, NULL, NULL, NULL, '\x79076ea848f34b2f768a830c7d1ff783f42b8b77c83f6a04bb8eca8e5711439b'),
	('019cf5e3-4c00-7000-afec-282f08008e50', 'email', NULL, 'factor_added', '\x015c23c60c3b0d38f1d06b10f34865ee1f1ef70d4e81d69f168b9f631c57c9fe14a8ae883419d137baa038a2fa85de982a27229f78efbd77476fe97b10214fd8e0799d6e5c1c8dedff6204c160eb289c7801d3fafbc4a60b5d0c6b7e9641eec8a9dbf23ed4231ed7653e19b42e83f736e9a008bb1d8b937f599d4a44a8d1d660f58eb3df28160b5d2613ee09691dde94190d6961601af6', NULL, '2026-03-16 09:04:00+00', '2026-03-16 09:04:00+00', NULL, 0, NULL, NULL, NULL, NULL, '\x55c432a844d9496601c77a4cff9d547607cd3910eaa8d151efd72246e445ed99'),
	('019cf5e3-4c00-7000-8c99-1b9e3c907f24', 'email', NULL, 'reset_password', '\x0144bfec5e6a0ddce529809c608649fec7a8a62bd0d714c1e0393996bea1b121ab9c3b160e2cc8df1cef0261431fa7b7a5a0aedf4ea33731934bd333bafb49f121583067d75e5bf9159af4ced54409f0bb0b1ecde2ee655c0f9ec71fa35231801cbb5105290afaa22edbb5de01389ac0677f96e5258f82e5435099203a82edc6abd70a226e1576ef2143941b956fdfb52022b95cbda7beade82f31a033d2731a9e15dc5df2f224545e57a2401bdcdb980afa38052cc7748b81cacaab8b', NULL, '2026-03-16 09:04:00+00', '2026-03-16 09:04:00+00', '2026-03-16 09:34:00+00', 0, NULL, NULL, NULL, NULL, '\x55c432a844d9496601c77a4cff9d547607cd3910eaa8d151efd72246e445ed99');


--
-- Data for Name: passkeys; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.passkeys VALUES
	('019cf5e3-4c00-7000-b01f-74b170fb4982', '019cf5e1-7740-7000-880e-6f963254e35f', '\xf6b56c74ba670bac17ab25d0e6e15726b2ef4e06ead1468183f720526d375bb0', '\xa5010203262001215820affe358af51b0b5b622ac86a274d48e8b045a5e891a9ac8e7d3ef057e351aa80225820c5886cd1c5c4a807b6abe4af824a74280c8ca0e95fa419f545ece998c5ee1c8a', 1, '00000000-0000-0000-0000-000000000000', '["internal", "hybrid"]', false, false, 'Passkey', '2026-03-16 09:04:00+00', NULL, NULL);


--
-- Data for Name: rate_limits; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.rate_limits VALUES
	('\xcbfd9d0f96300ff81e10576a7c924333f98125c870014a0aa2a7e34ef402d75c', 1, '2026-03-16 10:00:00+00'),
	('\xd349a58def7015d28774351d568b1a0765ca5eb7da279015713d132c22c29423', 1, '2026-03-16 10:00:00+00'),
	('\x0ae49d9df068308549ffede438e46b5d36ded6cbc1d7916a2f37b74cb0fdc0db', 1, '2026-03-16 10:01:00+00'),
	('\xa728a1036659c2fd20884c4ff6e975f68150bfe8ab44d52e61df58e2a153a1d7', 1, '2026-03-16 10:01:00+00'),
	('\xb6887f8037c73670f0d11bb53dd0c1a0802115df213e0439dc8c590b9d4fd482', 1, '2026-03-16 10:02:00+00'),
	('\x94844302d8bbb1948d91990ebae806277b777113aa2b09ba9c0c806341962609', 1, '2026-03-16 09:04:00+00'),
	('\x9b921b4b85df0a0fbb24906f7f5d1903caa4d6b2c2755b5f312607fa47c76320', 1, '2026-03-16 10:03:00+00'),
	('\xe1f9f9b43160d8c48a2c5e2ca5bef01f16b0619f0c243d98ea6bad6ca6afa023', 1, '2026-03-16 10:03:00+00'),
	('\xd3692651b52b5865ca7d344095744726969380a96a2865e1f70bb683605c58bf', 1, '2026-03-16 09:05:00+00'),
	('\xd8a12525387c5cd0d484148b4350418f14f3c6fa4141506d7c2e9fe10c14c2ab', 1, '2026-03-16 09:05:00+00'),
	('\x8212e7ef02b6fdd15543ef543e882696ad36f72ed343ee26a72370b17d90e602', 2, '2026-03-16 10:02:00+00'),
	('\x8c74f395dc5304a2d6b63b11cdebb5c66e682eb42ea5906a6a399f6d7b68e344', 1, '2026-03-16 10:04:00+00'),
	('\xae513d096864b2fba36f10a980daa28c82be37612a8dff629ea8feff814ca0d5', 5, '2026-03-16 10:00:00+00'),
	('\xd556b54a61de6d782e56083c370b453dad76fee52cf9fa876efdba02b817bf05', 5, '2026-03-16 10:00:00+00');


--
-- Data for Name: received_logouts; Type: TABLE DATA; Schema: ostiary; Owner: -
--



--
-- Data for Name: recovery_codes; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.recovery_codes VALUES
	('019cf5e3-4c00-7000-a1ac-abbecc48446a', '019cf5e0-8ce0-7000-b54e-b5c498ccccd8', '\xa1c3b30e0d91e4405eaaa35e2971c189c3dc3da9d9edabbc88a9df86804dca74', '2026-03-16 09:04:00+00', NULL),
	('019cf5e3-4c00-7000-8237-e408e66f2dce', '019cf5e0-8ce0-7000-b54e-b5c498ccccd8', '\xfc615569ae5d0ff84fc9d1d97cad7b175c7497d8a40896738a8c10d51d91e093', '2026-03-16 09:04:00+00', NULL),
	('019cf5e3-4c00-7000-8cd4-696b6ee31eae', '019cf5e0-8ce0-7000-b54e-b5c498ccccd8', '\xa9297a4b9499701c231dedea4cbab02f8513d5c8744b32a24e43335cff1e64be', '2026-03-16 09:04:00+00', NULL),
	('019cf5e3-4c00-7000-a6a6-cf0aefe66cba', '019cf5e0-8ce0-7000-b54e-b5c498ccccd8', '\x4750f81ae1326fdb9d615bb6bdc9dd5288957afff252abdc253496819d1964b9', '2026-03-16 09:04:00+00', NULL),
	('019cf5e3-4c00-7000-be95-ec409b96d196', '019cf5e0-8ce0-7000-b54e-b5c498ccccd8', '\x21052910e883abc3767edc3412e5aebf77b78409d8ca16778f3ae925a479d98f', '2026-03-16 09:04:00+00', NULL),
	('019cf5e3-4c00-7000-96c6-f0ac80250ad7', '019cf5e0-8ce0-7000-b54e-b5c498ccccd8', '\x0046c3839a07528eac350b2615a0a94b1366ec7af59bb9fb35abc25bc063e388', '2026-03-16 09:04:00+00', NULL),
	('019cf5e3-4c00-7000-8b9b-b365a593426b', '019cf5e0-8ce0-7000-b54e-b5c498ccccd8', '\xa8bed901c0181788193b6f20ba782c7f381d5243e9a015d01989f29771196ab0', '2026-03-16 09:04:00+00', NULL),
	('019cf5e3-4c00-7000-b20e-4af68c7e5d0f', '019cf5e0-8ce0-7000-b54e-b5c498ccccd8', '\xf358536761bfe7a3d00f68164a5dd5a3a3363f8d02db3c217ef131187d8d1dbf', '2026-03-16 09:04:00+00', NULL),
	('019cf5e3-4c00-7000-9057-4d885867a5e7', '019cf5e0-8ce0-7000-b54e-b5c498ccccd8', '\x9096b633ef895d17aa6eb4f2ae836abe5ca9679680b256d92f8f96ca1a70b02f', '2026-03-16 09:04:00+00', NULL),
	('019cf5e3-4c00-7000-bf83-de871e696bd2', '019cf5e0-8ce0-7000-b54e-b5c498ccccd8', '\x579951407d5be9ff184ba30bab433973d4df74684281d8c727af2e37d0512b84', '2026-03-16 09:04:00+00', NULL);


--
-- Data for Name: refresh_tokens; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.refresh_tokens VALUES
	('019cf5df-a280-7000-992b-019c4a1cb117', '019cf5df-a280-7000-b4f2-404caae2c969', NULL, '\x8d7ff16dbe29d2d7ecd1c344e9eca5ae816e33ab4e6c64baa3c05375b297a018', '2026-03-16 09:00:00+00', '2026-04-15 09:00:00+00', NULL, NULL),
	('019cf5e0-8ce0-7000-898d-ae02f96dd6ee', '019cf5e0-8ce0-7000-b131-cc18caf901ff', NULL, '\x0209ea3bfeb7cdb39b491d88dc6d4a7ad5fb2efaa701620a4276bf78d689ac82', '2026-03-16 09:01:00+00', '2026-04-15 09:01:00+00', NULL, NULL),
	('019cf5e0-8ce0-7000-aafa-8215fda907ba', '019cf5e0-8ce0-7000-a411-b56f5e13eb22', NULL, '\xfc3b8cab1b0fb069542b010dc6af29281603f23a08da02e397b5571963ff2b8f', '2026-03-16 09:01:00+00', '2026-04-15 09:01:00+00', NULL, NULL),
	('019cf5e1-7740-7000-8e3a-4251918e251b', '019cf5e1-7740-7000-94c9-dad856537b6f', NULL, '\xb45365ca41c46aeafc0422e30d532a1837cdeb832753b8e52b2bd226eeeb777c', '2026-03-16 09:02:00+00', '2026-04-15 09:02:00+00', NULL, NULL),
	('019cf5e1-7740-7000-af68-ec5ed631f0b0', '019cf5e1-7740-7000-aad6-2a39f9ce5f22', NULL, '\x020fad848fb3d4a4b2aa52aa2abbda3c0c9bfaa0b1210819dea4bb6bab02f861', '2026-03-16 09:02:00+00', '2026-04-15 09:02:00+00', NULL, NULL),
	('019cf5e2-61a0-7000-baa8-5b891345298e', '019cf5e2-61a0-7000-8eb5-6998cc52c40f', NULL, '\x0780ec3de8a0c855951b1b012400ec6381eb2b0bd4ef41c11299df5fbf818249', '2026-03-16 09:03:00+00', '2026-04-15 09:03:00+00', NULL, NULL),
	('019cf5e2-61a0-7000-97b2-3a844f29dd8d', '019cf5e2-61a0-7000-b5b4-8f57682f51ca', NULL, '\xb27d6ca91c6a949d7366d042a605e98d2fdc9d1670bcfb25ac0f2cbfbd9c44a9', '2026-03-16 09:03:00+00', '2026-04-15 09:03:00+00', NULL, NULL),
	('019cf5df-a280-7000-9768-35d63f47a663', '019cf5df-a280-7000-84e8-5e1ff8f9523a', NULL, '\x71a5a3c4af761faeb9fb6e5fa2d3f3868ffcc159235631235b99062b08f33def', '2026-03-16 09:00:00+00', '2026-04-15 09:00:00+00', '2026-03-16 09:04:00+00', '\x016ecda9ec9b6b57a558e37b664b807f88b4b0c986506d22ac9122f2110551c3b0d1049844383b9d7c3f6e96b83cedba35dd5b811b865edf8b9c7e8193e5e7e1eeeaddc86e32e4e9073faadc49'),
	('019cf5e3-4c00-7000-b85d-5107fd2b5371', '019cf5df-a280-7000-84e8-5e1ff8f9523a', '019cf5df-a280-7000-9768-35d63f47a663', '\x0daebf232fbcb9550cc56bae9e142714ed7ddcb231ef431097d97f3a27a8c6c4', '2026-03-16 09:04:00+00', '2026-04-15 09:00:00+00', NULL, NULL);


--
-- Data for Name: remembered_devices; Type: TABLE DATA; Schema: ostiary; Owner: -
--



--
-- Data for Name: restore_guard; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.restore_guard VALUES
	(1, '7710807717383910209.00000001.16384.16393', '2026-03-16 09:00:00+00');


--
-- Data for Name: revocations; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.revocations VALUES
	(1, 'session', 'ses_01kkty1370e00b2cec335fj0fz', '019cf5e0-8ce0-7000-b54e-b5c498ccccd8', NULL, NULL, '2026-03-16 09:21:00+00', 'factor_added', NULL, '2026-11-22 01:52:06.816628+00'),
	(2, 'session', 'ses_01kkty2xt0e0099jetv1b56yvf', '019cf5e1-7740-7000-880e-6f963254e35f', NULL, NULL, '2026-03-16 09:21:00+00', 'factor_added', NULL, '2026-11-22 01:52:06.834547+00'),
	(3, 'session', 'ses_01kkty4rd0e00bbd4faxm2ymea', '019cf5e2-61a0-7000-97f5-39e5a889611f', NULL, NULL, '2026-03-16 09:21:00+00', 'logout', NULL, '2026-11-22 01:52:06.843187+00');


--
-- Data for Name: role_grants; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.role_grants VALUES
	('019cf5df-a280-7000-b351-9c6bc6cdba9f', '019cf5e3-4c00-7000-803b-7cbff3f2a434', 'system', '2026-03-16 09:04:00+00', NULL);


--
-- Data for Name: role_permissions; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.role_permissions VALUES
	('019cf5e3-4c00-7000-803b-7cbff3f2a434', 'pages:write');


--
-- Data for Name: roles; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.roles VALUES
	('019cf5df-a280-7000-9f9b-3dc0bb9f29ac', 'ostiary:operator', 'May administer this installation.', true),
	('019cf5e3-4c00-7000-803b-7cbff3f2a434', 'editor', NULL, false);


--
-- Data for Name: service_credentials; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.service_credentials VALUES
	('019cf5e3-4c00-7000-afc9-1877407f639c', '019cf5e3-4c00-7000-9245-93bd3b4b8332', '\x478927f2ebd1c38c585fb82720a253242f1dd490eab6c251135188cf8e613ca3', '["vault:read"]', '2026-03-16 09:04:00+00', 'system', NULL, NULL, NULL);


--
-- Data for Name: services; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.services VALUES
	('019cf5e3-4c00-7000-80db-766c611c723f', '019cf5e3-4c00-7000-9245-93bd3b4b8332', 'reports', NULL, NULL, NULL, NULL, NULL, '{}', '2026-03-16 09:04:00+00', '2026-03-16 09:04:00+00', NULL);


--
-- Data for Name: sessions; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.sessions VALUES
	('019cf5df-a280-7000-b4f2-404caae2c969', '019cf5df-a280-7000-b351-9c6bc6cdba9f', '127.0.0.1', 'python-httpx2/2.16.2', 'Python', '["pwd"]', '2026-03-16 09:00:00+00', '{}', '2026-03-16 09:00:00+00', '2026-03-16 09:00:00+00', '2026-03-16 09:00:00+00', '2026-03-30 09:00:00+00', '2026-04-15 09:00:00+00', NULL, NULL, NULL, NULL),
	('019cf5e0-8ce0-7000-a411-b56f5e13eb22', '019cf5e0-8ce0-7000-b54e-b5c498ccccd8', '127.0.0.1', 'python-httpx2/2.16.2', 'Python', '["pwd"]', '2026-03-16 09:01:00+00', '{}', '2026-03-16 09:01:00+00', '2026-03-16 09:01:00+00', '2026-03-16 09:01:00+00', '2026-03-30 09:01:00+00', '2026-04-15 09:01:00+00', NULL, NULL, NULL, NULL),
	('019cf5e1-7740-7000-aad6-2a39f9ce5f22', '019cf5e1-7740-7000-880e-6f963254e35f', '127.0.0.1', 'python-httpx2/2.16.2', 'Python', '["pwd"]', '2026-03-16 09:02:00+00', '{}', '2026-03-16 09:02:00+00', '2026-03-16 09:02:00+00', '2026-03-16 09:02:00+00', '2026-03-30 09:02:00+00', '2026-04-15 09:02:00+00', NULL, NULL, NULL, NULL),
	('019cf5e2-61a0-7000-8eb5-6998cc52c40f', '019cf5e2-61a0-7000-97f5-39e5a889611f', '127.0.0.1', 'python-httpx2/2.16.2', 'Python', '["pwd"]', '2026-03-16 09:03:00+00', '{}', '2026-03-16 09:03:00+00', '2026-03-16 09:03:00+00', '2026-03-16 09:03:00+00', '2026-03-30 09:03:00+00', '2026-04-15 09:03:00+00', NULL, NULL, NULL, NULL),
	('019cf5df-a280-7000-84e8-5e1ff8f9523a', '019cf5df-a280-7000-b351-9c6bc6cdba9f', '127.0.0.1', 'python-httpx2/2.16.2', 'Python', '["pwd"]', '2026-03-16 09:00:00+00', '{}', '2026-03-16 09:00:00+00', '2026-03-16 09:04:00+00', '2026-03-16 09:04:00+00', '2026-03-30 09:04:00+00', '2026-04-15 09:00:00+00', NULL, NULL, NULL, NULL),
	('019cf5e0-8ce0-7000-b131-cc18caf901ff', '019cf5e0-8ce0-7000-b54e-b5c498ccccd8', '127.0.0.1', 'python-httpx2/2.16.2', 'Python', '["pwd"]', '2026-03-16 09:01:00+00', '{}', '2026-03-16 09:01:00+00', '2026-03-16 09:04:00+00', '2026-03-16 09:01:00+00', '2026-03-30 09:01:00+00', '2026-04-15 09:01:00+00', '2026-03-16 09:04:00+00', 'factor_added', NULL, NULL),
	('019cf5e1-7740-7000-94c9-dad856537b6f', '019cf5e1-7740-7000-880e-6f963254e35f', '127.0.0.1', 'python-httpx2/2.16.2', 'Python', '["pwd"]', '2026-03-16 09:02:00+00', '{}', '2026-03-16 09:02:00+00', '2026-03-16 09:04:00+00', '2026-03-16 09:02:00+00', '2026-03-30 09:02:00+00', '2026-04-15 09:02:00+00', '2026-03-16 09:04:00+00', 'factor_added', NULL, NULL),
	('019cf5e2-61a0-7000-b5b4-8f57682f51ca', '019cf5e2-61a0-7000-97f5-39e5a889611f', '127.0.0.1', 'python-httpx2/2.16.2', 'Python', '["pwd"]', '2026-03-16 09:03:00+00', '{}', '2026-03-16 09:03:00+00', '2026-03-16 09:04:00+00', '2026-03-16 09:03:00+00', '2026-03-30 09:03:00+00', '2026-04-15 09:03:00+00', '2026-03-16 09:04:00+00', 'logout', NULL, NULL);


--
-- Data for Name: sign_in_flows; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.sign_in_flows VALUES
	('019cf5e3-4c00-7000-a83f-1f0e37b0e859', '019cf5e0-8ce0-7000-b54e-b5c498ccccd8', '\xcd9a680e36338dcce48cdcdceede69628e84386e50e09dd88e7f9875ba0cea53', 0, 'ostiary', 'password', '["pwd"]', '["totp", "recovery_code"]', NULL, '2026-03-16 09:04:00+00', '2026-03-16 09:14:00+00', NULL, NULL, NULL);


--
-- Data for Name: signing_keys; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.signing_keys VALUES
	('01kktxz8m0e00bjsc3w7hbvfer', 'ES256', '{"x": "EHimICXDqIBe2LpU4ZvPqHiJFb5P8mLQ4DwfhAWjSe8", "y": "LhqbPHLDbdJOJE8O1BTL7SYxHuQYZ072pXmFihGo-Zs", "alg": "ES256", "crv": "P-256", "kid": "01kktxz8m0e00bjsc3w7hbvfer", "kty": "EC", "use": "sig"}', '\x0000000101070b796909376f53fdc9c59df59e5eeccdb6da938cf8793259bb2613d7efa38cec1b9eac45e96a009a012e00582162b3d4a2311c0e4c55b88445f1b895bb717f4efcd79d96742eec7bd4cde352b5a1fe50835329e3701849ce6bc447e79c079b5986dc2757001ed5a5474498c296108c07495eae9eb7b28b8f6de2f9e2b7059fde91ca55c2b63b75fdbd59f3f01fdd2da2a6790b3e3f0d201893d4f55adb020c532265ec6790', 'active', '2026-03-16 09:00:00+00', '2026-03-16 09:00:00+00', NULL);


--
-- Data for Name: totp_factors; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.totp_factors VALUES
	('019cf5e3-4c00-7000-b39e-0d7108b7cd96', '019cf5e0-8ce0-7000-b54e-b5c498ccccd8', '\x018623dda629034c28452df30556b2f06c799af245b1a2bc0bbd63723af6486f1bdf89bfb580381e59ffdade02deb91a15', 'Authenticator app', 59121728, '2026-03-16 09:04:00+00', '2026-03-16 09:04:00+00', '2026-03-16 09:04:00+00');


--
-- Data for Name: unknown_identifiers; Type: TABLE DATA; Schema: ostiary; Owner: -
--



--
-- Data for Name: upstream_flows; Type: TABLE DATA; Schema: ostiary; Owner: -
--



--
-- Data for Name: users; Type: TABLE DATA; Schema: ostiary; Owner: -
--

INSERT INTO ostiary.users VALUES
	('019cf5df-a280-7000-bfa6-e74414e88927', '019cf5df-a280-7000-b351-9c6bc6cdba9f', NULL, NULL, NULL, NULL, NULL, NULL, '{}', '2026-03-16 09:00:00+00', '2026-03-16 09:00:00+00', NULL),
	('019cf5e0-8ce0-7000-bf3f-0f8f154af2a8', '019cf5e0-8ce0-7000-b54e-b5c498ccccd8', NULL, NULL, NULL, NULL, NULL, NULL, '{}', '2026-03-16 09:01:00+00', '2026-03-16 09:01:00+00', NULL),
	('019cf5e1-7740-7000-8dd0-9fbfdb29009e', '019cf5e1-7740-7000-880e-6f963254e35f', NULL, NULL, NULL, NULL, NULL, NULL, '{}', '2026-03-16 09:02:00+00', '2026-03-16 09:02:00+00', NULL),
	('019cf5e2-61a0-7000-9a61-e62410c7d91f', '019cf5e2-61a0-7000-97f5-39e5a889611f', NULL, NULL, NULL, NULL, NULL, NULL, '{}', '2026-03-16 09:03:00+00', '2026-03-16 09:03:00+00', NULL);


--
-- Data for Name: webhook_endpoints; Type: TABLE DATA; Schema: ostiary; Owner: -
--



--
-- Name: audit_seq; Type: SEQUENCE SET; Schema: ostiary; Owner: -
--

SELECT pg_catalog.setval('ostiary.audit_seq', 29, true);


--
-- Name: revocation_seq; Type: SEQUENCE SET; Schema: ostiary; Owner: -
--

SELECT pg_catalog.setval('ostiary.revocation_seq', 3, true);


--
-- Name: audit_events pk_audit_events_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.audit_events
    ADD CONSTRAINT pk_audit_events_id PRIMARY KEY (id);


--
-- Name: audit_events_default audit_events_default_pkey; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.audit_events_default
    ADD CONSTRAINT audit_events_default_pkey PRIMARY KEY (id);


--
-- Name: audit_events_y2026m11 audit_events_y2026m11_pkey; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.audit_events_y2026m11
    ADD CONSTRAINT audit_events_y2026m11_pkey PRIMARY KEY (id);


--
-- Name: audit_events_y2026m12 audit_events_y2026m12_pkey; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.audit_events_y2026m12
    ADD CONSTRAINT audit_events_y2026m12_pkey PRIMARY KEY (id);


--
-- Name: audit_events_y2027m01 audit_events_y2027m01_pkey; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.audit_events_y2027m01
    ADD CONSTRAINT audit_events_y2027m01_pkey PRIMARY KEY (id);


--
-- Name: audit_events_y2027m02 audit_events_y2027m02_pkey; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.audit_events_y2027m02
    ADD CONSTRAINT audit_events_y2027m02_pkey PRIMARY KEY (id);


--
-- Name: login_history pk_login_history_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.login_history
    ADD CONSTRAINT pk_login_history_id PRIMARY KEY (id);


--
-- Name: login_history_default login_history_default_pkey; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.login_history_default
    ADD CONSTRAINT login_history_default_pkey PRIMARY KEY (id);


--
-- Name: login_history_y2026m11 login_history_y2026m11_pkey; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.login_history_y2026m11
    ADD CONSTRAINT login_history_y2026m11_pkey PRIMARY KEY (id);


--
-- Name: login_history_y2026m12 login_history_y2026m12_pkey; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.login_history_y2026m12
    ADD CONSTRAINT login_history_y2026m12_pkey PRIMARY KEY (id);


--
-- Name: login_history_y2027m01 login_history_y2027m01_pkey; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.login_history_y2027m01
    ADD CONSTRAINT login_history_y2027m01_pkey PRIMARY KEY (id);


--
-- Name: login_history_y2027m02 login_history_y2027m02_pkey; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.login_history_y2027m02
    ADD CONSTRAINT login_history_y2027m02_pkey PRIMARY KEY (id);


--
-- Name: ostiary_alembic_version ostiary_alembic_version_pkc; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.ostiary_alembic_version
    ADD CONSTRAINT ostiary_alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: admins pk_admins_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.admins
    ADD CONSTRAINT pk_admins_id PRIMARY KEY (id);


--
-- Name: audit_keys pk_audit_keys_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.audit_keys
    ADD CONSTRAINT pk_audit_keys_id PRIMARY KEY (id);


--
-- Name: audit_purge_mark pk_audit_purge_mark_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.audit_purge_mark
    ADD CONSTRAINT pk_audit_purge_mark_id PRIMARY KEY (id);


--
-- Name: audit_seals pk_audit_seals_from_seq; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.audit_seals
    ADD CONSTRAINT pk_audit_seals_from_seq PRIMARY KEY (from_seq);


--
-- Name: ceremonies pk_ceremonies_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.ceremonies
    ADD CONSTRAINT pk_ceremonies_id PRIMARY KEY (id);


--
-- Name: challenges pk_challenges_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.challenges
    ADD CONSTRAINT pk_challenges_id PRIMARY KEY (id);


--
-- Name: data_keys pk_data_keys_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.data_keys
    ADD CONSTRAINT pk_data_keys_id PRIMARY KEY (id);


--
-- Name: erasures pk_erasures_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.erasures
    ADD CONSTRAINT pk_erasures_id PRIMARY KEY (id);


--
-- Name: factor_resets pk_factor_resets_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.factor_resets
    ADD CONSTRAINT pk_factor_resets_id PRIMARY KEY (id);


--
-- Name: identities pk_identities_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.identities
    ADD CONSTRAINT pk_identities_id PRIMARY KEY (id);


--
-- Name: linked_accounts pk_linked_accounts_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.linked_accounts
    ADD CONSTRAINT pk_linked_accounts_id PRIMARY KEY (id);


--
-- Name: maintenance_runs pk_maintenance_runs_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.maintenance_runs
    ADD CONSTRAINT pk_maintenance_runs_id PRIMARY KEY (id);


--
-- Name: message_factors pk_message_factors_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.message_factors
    ADD CONSTRAINT pk_message_factors_id PRIMARY KEY (id);


--
-- Name: onboarding_sessions pk_onboarding_sessions_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.onboarding_sessions
    ADD CONSTRAINT pk_onboarding_sessions_id PRIMARY KEY (id);


--
-- Name: outbox pk_outbox_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.outbox
    ADD CONSTRAINT pk_outbox_id PRIMARY KEY (id);


--
-- Name: passkeys pk_passkeys_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.passkeys
    ADD CONSTRAINT pk_passkeys_id PRIMARY KEY (id);


--
-- Name: rate_limits pk_rate_limits_key; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.rate_limits
    ADD CONSTRAINT pk_rate_limits_key PRIMARY KEY (key);


--
-- Name: received_logouts pk_received_logouts_provider_token_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.received_logouts
    ADD CONSTRAINT pk_received_logouts_provider_token_id PRIMARY KEY (provider, token_id);


--
-- Name: recovery_codes pk_recovery_codes_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.recovery_codes
    ADD CONSTRAINT pk_recovery_codes_id PRIMARY KEY (id);


--
-- Name: refresh_tokens pk_refresh_tokens_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.refresh_tokens
    ADD CONSTRAINT pk_refresh_tokens_id PRIMARY KEY (id);


--
-- Name: remembered_devices pk_remembered_devices_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.remembered_devices
    ADD CONSTRAINT pk_remembered_devices_id PRIMARY KEY (id);


--
-- Name: restore_guard pk_restore_guard_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.restore_guard
    ADD CONSTRAINT pk_restore_guard_id PRIMARY KEY (id);


--
-- Name: revocations pk_revocations_kind_subject; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.revocations
    ADD CONSTRAINT pk_revocations_kind_subject PRIMARY KEY (kind, subject);


--
-- Name: role_grants pk_role_grants_identity_id_role_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.role_grants
    ADD CONSTRAINT pk_role_grants_identity_id_role_id PRIMARY KEY (identity_id, role_id);


--
-- Name: role_permissions pk_role_permissions_role_id_permission; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.role_permissions
    ADD CONSTRAINT pk_role_permissions_role_id_permission PRIMARY KEY (role_id, permission);


--
-- Name: roles pk_roles_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.roles
    ADD CONSTRAINT pk_roles_id PRIMARY KEY (id);


--
-- Name: service_credentials pk_service_credentials_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.service_credentials
    ADD CONSTRAINT pk_service_credentials_id PRIMARY KEY (id);


--
-- Name: services pk_services_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.services
    ADD CONSTRAINT pk_services_id PRIMARY KEY (id);


--
-- Name: sessions pk_sessions_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.sessions
    ADD CONSTRAINT pk_sessions_id PRIMARY KEY (id);


--
-- Name: sign_in_flows pk_sign_in_flows_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.sign_in_flows
    ADD CONSTRAINT pk_sign_in_flows_id PRIMARY KEY (id);


--
-- Name: signing_keys pk_signing_keys_kid; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.signing_keys
    ADD CONSTRAINT pk_signing_keys_kid PRIMARY KEY (kid);


--
-- Name: totp_factors pk_totp_factors_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.totp_factors
    ADD CONSTRAINT pk_totp_factors_id PRIMARY KEY (id);


--
-- Name: unknown_identifiers pk_unknown_identifiers_subject; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.unknown_identifiers
    ADD CONSTRAINT pk_unknown_identifiers_subject PRIMARY KEY (subject);


--
-- Name: upstream_flows pk_upstream_flows_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.upstream_flows
    ADD CONSTRAINT pk_upstream_flows_id PRIMARY KEY (id);


--
-- Name: users pk_users_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.users
    ADD CONSTRAINT pk_users_id PRIMARY KEY (id);


--
-- Name: webhook_endpoints pk_webhook_endpoints_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.webhook_endpoints
    ADD CONSTRAINT pk_webhook_endpoints_id PRIMARY KEY (id);


--
-- Name: admins uq_admins_identity_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.admins
    ADD CONSTRAINT uq_admins_identity_id UNIQUE (identity_id);


--
-- Name: audit_seals uq_audit_seals_to_seq; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.audit_seals
    ADD CONSTRAINT uq_audit_seals_to_seq UNIQUE (to_seq);


--
-- Name: onboarding_sessions uq_onboarding_sessions_identity_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.onboarding_sessions
    ADD CONSTRAINT uq_onboarding_sessions_identity_id UNIQUE (identity_id);


--
-- Name: outbox uq_outbox_dedupe_key; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.outbox
    ADD CONSTRAINT uq_outbox_dedupe_key UNIQUE (dedupe_key);


--
-- Name: passkeys uq_passkeys_credential_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.passkeys
    ADD CONSTRAINT uq_passkeys_credential_id UNIQUE (credential_id);


--
-- Name: revocations uq_revocations_seq; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.revocations
    ADD CONSTRAINT uq_revocations_seq UNIQUE (seq);


--
-- Name: roles uq_roles_name; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.roles
    ADD CONSTRAINT uq_roles_name UNIQUE (name);


--
-- Name: services uq_services_identity_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.services
    ADD CONSTRAINT uq_services_identity_id UNIQUE (identity_id);


--
-- Name: users uq_users_identity_id; Type: CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.users
    ADD CONSTRAINT uq_users_identity_id UNIQUE (identity_id);


--
-- Name: ix_audit_events_action_occurred_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_audit_events_action_occurred_at ON ONLY ostiary.audit_events USING btree (action, occurred_at);


--
-- Name: audit_events_default_action_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_default_action_occurred_at_idx ON ostiary.audit_events_default USING btree (action, occurred_at);


--
-- Name: ix_audit_events_actor_id_occurred_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_audit_events_actor_id_occurred_at ON ONLY ostiary.audit_events USING btree (actor_id, occurred_at);


--
-- Name: audit_events_default_actor_id_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_default_actor_id_occurred_at_idx ON ostiary.audit_events_default USING btree (actor_id, occurred_at);


--
-- Name: ix_audit_events_occurred_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_audit_events_occurred_at ON ONLY ostiary.audit_events USING btree (occurred_at);


--
-- Name: audit_events_default_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_default_occurred_at_idx ON ostiary.audit_events_default USING btree (occurred_at);


--
-- Name: ix_audit_events_seq; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_audit_events_seq ON ONLY ostiary.audit_events USING btree (seq);


--
-- Name: audit_events_default_seq_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_default_seq_idx ON ostiary.audit_events_default USING btree (seq);


--
-- Name: ix_audit_events_session_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_audit_events_session_id ON ONLY ostiary.audit_events USING btree (session_id);


--
-- Name: audit_events_default_session_id_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_default_session_id_idx ON ostiary.audit_events_default USING btree (session_id);


--
-- Name: ix_audit_events_target_kind_target_id_occurred_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_audit_events_target_kind_target_id_occurred_at ON ONLY ostiary.audit_events USING btree (target_kind, target_id, occurred_at);


--
-- Name: audit_events_default_target_kind_target_id_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_default_target_kind_target_id_occurred_at_idx ON ostiary.audit_events_default USING btree (target_kind, target_id, occurred_at);


--
-- Name: audit_events_y2026m11_action_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2026m11_action_occurred_at_idx ON ostiary.audit_events_y2026m11 USING btree (action, occurred_at);


--
-- Name: audit_events_y2026m11_actor_id_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2026m11_actor_id_occurred_at_idx ON ostiary.audit_events_y2026m11 USING btree (actor_id, occurred_at);


--
-- Name: audit_events_y2026m11_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2026m11_occurred_at_idx ON ostiary.audit_events_y2026m11 USING btree (occurred_at);


--
-- Name: audit_events_y2026m11_seq_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2026m11_seq_idx ON ostiary.audit_events_y2026m11 USING btree (seq);


--
-- Name: audit_events_y2026m11_session_id_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2026m11_session_id_idx ON ostiary.audit_events_y2026m11 USING btree (session_id);


--
-- Name: audit_events_y2026m11_target_kind_target_id_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2026m11_target_kind_target_id_occurred_at_idx ON ostiary.audit_events_y2026m11 USING btree (target_kind, target_id, occurred_at);


--
-- Name: audit_events_y2026m12_action_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2026m12_action_occurred_at_idx ON ostiary.audit_events_y2026m12 USING btree (action, occurred_at);


--
-- Name: audit_events_y2026m12_actor_id_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2026m12_actor_id_occurred_at_idx ON ostiary.audit_events_y2026m12 USING btree (actor_id, occurred_at);


--
-- Name: audit_events_y2026m12_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2026m12_occurred_at_idx ON ostiary.audit_events_y2026m12 USING btree (occurred_at);


--
-- Name: audit_events_y2026m12_seq_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2026m12_seq_idx ON ostiary.audit_events_y2026m12 USING btree (seq);


--
-- Name: audit_events_y2026m12_session_id_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2026m12_session_id_idx ON ostiary.audit_events_y2026m12 USING btree (session_id);


--
-- Name: audit_events_y2026m12_target_kind_target_id_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2026m12_target_kind_target_id_occurred_at_idx ON ostiary.audit_events_y2026m12 USING btree (target_kind, target_id, occurred_at);


--
-- Name: audit_events_y2027m01_action_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2027m01_action_occurred_at_idx ON ostiary.audit_events_y2027m01 USING btree (action, occurred_at);


--
-- Name: audit_events_y2027m01_actor_id_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2027m01_actor_id_occurred_at_idx ON ostiary.audit_events_y2027m01 USING btree (actor_id, occurred_at);


--
-- Name: audit_events_y2027m01_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2027m01_occurred_at_idx ON ostiary.audit_events_y2027m01 USING btree (occurred_at);


--
-- Name: audit_events_y2027m01_seq_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2027m01_seq_idx ON ostiary.audit_events_y2027m01 USING btree (seq);


--
-- Name: audit_events_y2027m01_session_id_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2027m01_session_id_idx ON ostiary.audit_events_y2027m01 USING btree (session_id);


--
-- Name: audit_events_y2027m01_target_kind_target_id_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2027m01_target_kind_target_id_occurred_at_idx ON ostiary.audit_events_y2027m01 USING btree (target_kind, target_id, occurred_at);


--
-- Name: audit_events_y2027m02_action_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2027m02_action_occurred_at_idx ON ostiary.audit_events_y2027m02 USING btree (action, occurred_at);


--
-- Name: audit_events_y2027m02_actor_id_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2027m02_actor_id_occurred_at_idx ON ostiary.audit_events_y2027m02 USING btree (actor_id, occurred_at);


--
-- Name: audit_events_y2027m02_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2027m02_occurred_at_idx ON ostiary.audit_events_y2027m02 USING btree (occurred_at);


--
-- Name: audit_events_y2027m02_seq_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2027m02_seq_idx ON ostiary.audit_events_y2027m02 USING btree (seq);


--
-- Name: audit_events_y2027m02_session_id_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2027m02_session_id_idx ON ostiary.audit_events_y2027m02 USING btree (session_id);


--
-- Name: audit_events_y2027m02_target_kind_target_id_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX audit_events_y2027m02_target_kind_target_id_occurred_at_idx ON ostiary.audit_events_y2027m02 USING btree (target_kind, target_id, occurred_at);


--
-- Name: ix_audit_keys_created_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_audit_keys_created_at ON ostiary.audit_keys USING btree (created_at);


--
-- Name: ix_audit_keys_identity_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_audit_keys_identity_id ON ostiary.audit_keys USING btree (identity_id);


--
-- Name: ix_ceremonies_expires_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_ceremonies_expires_at ON ostiary.ceremonies USING btree (expires_at);


--
-- Name: ix_ceremonies_identity_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_ceremonies_identity_id ON ostiary.ceremonies USING btree (identity_id);


--
-- Name: ix_challenges_expires_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_challenges_expires_at ON ostiary.challenges USING btree (expires_at);


--
-- Name: ix_challenges_identity_id_purpose; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_challenges_identity_id_purpose ON ostiary.challenges USING btree (identity_id, purpose);


--
-- Name: ix_data_keys_kek_version; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_data_keys_kek_version ON ostiary.data_keys USING btree (kek_version);


--
-- Name: ix_erasures_erase_after; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_erasures_erase_after ON ostiary.erasures USING btree (erase_after) WHERE ((completed_at IS NULL) AND (cancelled_at IS NULL));


--
-- Name: ix_factor_resets_takes_effect_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_factor_resets_takes_effect_at ON ostiary.factor_resets USING btree (takes_effect_at) WHERE ((completed_at IS NULL) AND (cancelled_at IS NULL));


--
-- Name: ix_identities_email_normalized; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_identities_email_normalized ON ostiary.identities USING btree (email_normalized);


--
-- Name: ix_identities_phone; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_identities_phone ON ostiary.identities USING btree (phone);


--
-- Name: ix_identities_status_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_identities_status_id ON ostiary.identities USING btree (status, id) WHERE (status <> 'active'::text);


--
-- Name: ix_linked_accounts_access_token_expires_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_linked_accounts_access_token_expires_at ON ostiary.linked_accounts USING btree (access_token_expires_at);


--
-- Name: ix_linked_accounts_data_key_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_linked_accounts_data_key_id ON ostiary.linked_accounts USING btree (data_key_id);


--
-- Name: ix_linked_accounts_identity_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_linked_accounts_identity_id ON ostiary.linked_accounts USING btree (identity_id);


--
-- Name: ix_login_history_identity_id_occurred_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_login_history_identity_id_occurred_at ON ONLY ostiary.login_history USING btree (identity_id, occurred_at);


--
-- Name: ix_login_history_occurred_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_login_history_occurred_at ON ONLY ostiary.login_history USING btree (occurred_at);


--
-- Name: ix_login_history_session_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_login_history_session_id ON ONLY ostiary.login_history USING btree (session_id);


--
-- Name: ix_maintenance_runs_started_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_maintenance_runs_started_at ON ostiary.maintenance_runs USING btree (started_at);


--
-- Name: ix_maintenance_runs_task_started_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_maintenance_runs_task_started_at ON ostiary.maintenance_runs USING btree (task, started_at);


--
-- Name: ix_onboarding_sessions_expires_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_onboarding_sessions_expires_at ON ostiary.onboarding_sessions USING btree (expires_at) WHERE (completed_at IS NULL);


--
-- Name: ix_onboarding_sessions_flow_created_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_onboarding_sessions_flow_created_at ON ostiary.onboarding_sessions USING btree (flow, created_at);


--
-- Name: ix_outbox_delivered_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_outbox_delivered_at ON ostiary.outbox USING btree (delivered_at) WHERE (delivered_at IS NOT NULL);


--
-- Name: ix_outbox_endpoint_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_outbox_endpoint_id ON ostiary.outbox USING btree (endpoint_id) WHERE (endpoint_id IS NOT NULL);


--
-- Name: ix_outbox_failed_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_outbox_failed_at ON ostiary.outbox USING btree (failed_at) WHERE (failed_at IS NOT NULL);


--
-- Name: ix_outbox_recipient_digest; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_outbox_recipient_digest ON ostiary.outbox USING btree (recipient_digest) WHERE (recipient_digest IS NOT NULL);


--
-- Name: ix_outbox_topic_available_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_outbox_topic_available_at ON ostiary.outbox USING btree (topic, available_at) WHERE ((delivered_at IS NULL) AND (failed_at IS NULL));


--
-- Name: ix_passkeys_identity_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_passkeys_identity_id ON ostiary.passkeys USING btree (identity_id);


--
-- Name: ix_rate_limits_window_ends_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_rate_limits_window_ends_at ON ostiary.rate_limits USING btree (window_ends_at);


--
-- Name: ix_received_logouts_expires_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_received_logouts_expires_at ON ostiary.received_logouts USING btree (expires_at);


--
-- Name: ix_refresh_tokens_session_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_refresh_tokens_session_id ON ostiary.refresh_tokens USING btree (session_id);


--
-- Name: ix_remembered_devices_expires_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_remembered_devices_expires_at ON ostiary.remembered_devices USING btree (expires_at);


--
-- Name: ix_remembered_devices_identity_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_remembered_devices_identity_id ON ostiary.remembered_devices USING btree (identity_id);


--
-- Name: ix_revocations_expires_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_revocations_expires_at ON ostiary.revocations USING btree (expires_at);


--
-- Name: ix_revocations_identity_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_revocations_identity_id ON ostiary.revocations USING btree (identity_id);


--
-- Name: ix_role_grants_role_id_identity_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_role_grants_role_id_identity_id ON ostiary.role_grants USING btree (role_id, identity_id);


--
-- Name: ix_service_credentials_identity_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_service_credentials_identity_id ON ostiary.service_credentials USING btree (identity_id);


--
-- Name: ix_sessions_ended_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_sessions_ended_at ON ostiary.sessions USING btree (ended_at) WHERE (ended_at IS NOT NULL);


--
-- Name: ix_sessions_expires_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_sessions_expires_at ON ostiary.sessions USING btree (expires_at);


--
-- Name: ix_sessions_expires_at_live; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_sessions_expires_at_live ON ostiary.sessions USING btree (expires_at) WHERE (ended_at IS NULL);


--
-- Name: ix_sessions_identity_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_sessions_identity_id ON ostiary.sessions USING btree (identity_id);


--
-- Name: ix_sessions_last_used_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_sessions_last_used_at ON ostiary.sessions USING btree (last_used_at);


--
-- Name: ix_sessions_linked_account_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_sessions_linked_account_id ON ostiary.sessions USING btree (linked_account_id) WHERE (linked_account_id IS NOT NULL);


--
-- Name: ix_sessions_provider_session_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_sessions_provider_session_id ON ostiary.sessions USING btree (provider_session_id) WHERE (provider_session_id IS NOT NULL);


--
-- Name: ix_sign_in_flows_expires_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_sign_in_flows_expires_at ON ostiary.sign_in_flows USING btree (expires_at);


--
-- Name: ix_sign_in_flows_identity_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_sign_in_flows_identity_id ON ostiary.sign_in_flows USING btree (identity_id);


--
-- Name: ix_sign_in_flows_linked_account_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_sign_in_flows_linked_account_id ON ostiary.sign_in_flows USING btree (linked_account_id) WHERE (linked_account_id IS NOT NULL);


--
-- Name: ix_totp_factors_created_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_totp_factors_created_at ON ostiary.totp_factors USING btree (created_at) WHERE (confirmed_at IS NULL);


--
-- Name: ix_totp_factors_identity_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_totp_factors_identity_id ON ostiary.totp_factors USING btree (identity_id);


--
-- Name: ix_unknown_identifiers_expires_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_unknown_identifiers_expires_at ON ostiary.unknown_identifiers USING btree (expires_at);


--
-- Name: ix_upstream_flows_expires_at; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_upstream_flows_expires_at ON ostiary.upstream_flows USING btree (expires_at);


--
-- Name: ix_upstream_flows_identity_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX ix_upstream_flows_identity_id ON ostiary.upstream_flows USING btree (identity_id) WHERE (identity_id IS NOT NULL);


--
-- Name: login_history_default_identity_id_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX login_history_default_identity_id_occurred_at_idx ON ostiary.login_history_default USING btree (identity_id, occurred_at);


--
-- Name: login_history_default_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX login_history_default_occurred_at_idx ON ostiary.login_history_default USING btree (occurred_at);


--
-- Name: login_history_default_session_id_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX login_history_default_session_id_idx ON ostiary.login_history_default USING btree (session_id);


--
-- Name: login_history_y2026m11_identity_id_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX login_history_y2026m11_identity_id_occurred_at_idx ON ostiary.login_history_y2026m11 USING btree (identity_id, occurred_at);


--
-- Name: login_history_y2026m11_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX login_history_y2026m11_occurred_at_idx ON ostiary.login_history_y2026m11 USING btree (occurred_at);


--
-- Name: login_history_y2026m11_session_id_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX login_history_y2026m11_session_id_idx ON ostiary.login_history_y2026m11 USING btree (session_id);


--
-- Name: login_history_y2026m12_identity_id_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX login_history_y2026m12_identity_id_occurred_at_idx ON ostiary.login_history_y2026m12 USING btree (identity_id, occurred_at);


--
-- Name: login_history_y2026m12_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX login_history_y2026m12_occurred_at_idx ON ostiary.login_history_y2026m12 USING btree (occurred_at);


--
-- Name: login_history_y2026m12_session_id_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX login_history_y2026m12_session_id_idx ON ostiary.login_history_y2026m12 USING btree (session_id);


--
-- Name: login_history_y2027m01_identity_id_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX login_history_y2027m01_identity_id_occurred_at_idx ON ostiary.login_history_y2027m01 USING btree (identity_id, occurred_at);


--
-- Name: login_history_y2027m01_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX login_history_y2027m01_occurred_at_idx ON ostiary.login_history_y2027m01 USING btree (occurred_at);


--
-- Name: login_history_y2027m01_session_id_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX login_history_y2027m01_session_id_idx ON ostiary.login_history_y2027m01 USING btree (session_id);


--
-- Name: login_history_y2027m02_identity_id_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX login_history_y2027m02_identity_id_occurred_at_idx ON ostiary.login_history_y2027m02 USING btree (identity_id, occurred_at);


--
-- Name: login_history_y2027m02_occurred_at_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX login_history_y2027m02_occurred_at_idx ON ostiary.login_history_y2027m02 USING btree (occurred_at);


--
-- Name: login_history_y2027m02_session_id_idx; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE INDEX login_history_y2027m02_session_id_idx ON ostiary.login_history_y2027m02 USING btree (session_id);


--
-- Name: uq_challenges_identity_id_purpose_destination; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE UNIQUE INDEX uq_challenges_identity_id_purpose_destination ON ostiary.challenges USING btree (identity_id, purpose, destination) WHERE (consumed_at IS NULL);


--
-- Name: uq_challenges_purpose_entity_type_destination; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE UNIQUE INDEX uq_challenges_purpose_entity_type_destination ON ostiary.challenges USING btree (purpose, entity_type, destination) WHERE ((consumed_at IS NULL) AND (identity_id IS NULL));


--
-- Name: uq_data_keys_purpose_number; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE UNIQUE INDEX uq_data_keys_purpose_number ON ostiary.data_keys USING btree (purpose, number);


--
-- Name: uq_erasures_identity_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE UNIQUE INDEX uq_erasures_identity_id ON ostiary.erasures USING btree (identity_id) WHERE ((completed_at IS NULL) AND (cancelled_at IS NULL));


--
-- Name: uq_factor_resets_identity_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE UNIQUE INDEX uq_factor_resets_identity_id ON ostiary.factor_resets USING btree (identity_id) WHERE ((completed_at IS NULL) AND (cancelled_at IS NULL));


--
-- Name: uq_identities_entity_type_email_normalized; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE UNIQUE INDEX uq_identities_entity_type_email_normalized ON ostiary.identities USING btree (entity_type, email_normalized) WHERE (deleted_at IS NULL);


--
-- Name: uq_identities_entity_type_entity_id; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE UNIQUE INDEX uq_identities_entity_type_entity_id ON ostiary.identities USING btree (entity_type, entity_id) WHERE (deleted_at IS NULL);


--
-- Name: uq_identities_entity_type_phone; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE UNIQUE INDEX uq_identities_entity_type_phone ON ostiary.identities USING btree (entity_type, phone) WHERE (deleted_at IS NULL);


--
-- Name: uq_linked_accounts_provider_provider_account_id_entity_type; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE UNIQUE INDEX uq_linked_accounts_provider_provider_account_id_entity_type ON ostiary.linked_accounts USING btree (provider, provider_account_id, entity_type);


--
-- Name: uq_maintenance_runs_task; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE UNIQUE INDEX uq_maintenance_runs_task ON ostiary.maintenance_runs USING btree (task) WHERE (finished_at IS NULL);


--
-- Name: uq_message_factors_identity_id_channel; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE UNIQUE INDEX uq_message_factors_identity_id_channel ON ostiary.message_factors USING btree (identity_id, channel);


--
-- Name: uq_recovery_codes_identity_id_code_mac; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE UNIQUE INDEX uq_recovery_codes_identity_id_code_mac ON ostiary.recovery_codes USING btree (identity_id, code_mac);


--
-- Name: uq_signing_keys_algorithm; Type: INDEX; Schema: ostiary; Owner: -
--

CREATE UNIQUE INDEX uq_signing_keys_algorithm ON ostiary.signing_keys USING btree (algorithm) WHERE (state = 'active'::text);


--
-- Name: audit_events_default_action_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_action_occurred_at ATTACH PARTITION ostiary.audit_events_default_action_occurred_at_idx;


--
-- Name: audit_events_default_actor_id_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_actor_id_occurred_at ATTACH PARTITION ostiary.audit_events_default_actor_id_occurred_at_idx;


--
-- Name: audit_events_default_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_occurred_at ATTACH PARTITION ostiary.audit_events_default_occurred_at_idx;


--
-- Name: audit_events_default_pkey; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.pk_audit_events_id ATTACH PARTITION ostiary.audit_events_default_pkey;


--
-- Name: audit_events_default_seq_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_seq ATTACH PARTITION ostiary.audit_events_default_seq_idx;


--
-- Name: audit_events_default_session_id_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_session_id ATTACH PARTITION ostiary.audit_events_default_session_id_idx;


--
-- Name: audit_events_default_target_kind_target_id_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_target_kind_target_id_occurred_at ATTACH PARTITION ostiary.audit_events_default_target_kind_target_id_occurred_at_idx;


--
-- Name: audit_events_y2026m11_action_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_action_occurred_at ATTACH PARTITION ostiary.audit_events_y2026m11_action_occurred_at_idx;


--
-- Name: audit_events_y2026m11_actor_id_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_actor_id_occurred_at ATTACH PARTITION ostiary.audit_events_y2026m11_actor_id_occurred_at_idx;


--
-- Name: audit_events_y2026m11_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_occurred_at ATTACH PARTITION ostiary.audit_events_y2026m11_occurred_at_idx;


--
-- Name: audit_events_y2026m11_pkey; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.pk_audit_events_id ATTACH PARTITION ostiary.audit_events_y2026m11_pkey;


--
-- Name: audit_events_y2026m11_seq_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_seq ATTACH PARTITION ostiary.audit_events_y2026m11_seq_idx;


--
-- Name: audit_events_y2026m11_session_id_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_session_id ATTACH PARTITION ostiary.audit_events_y2026m11_session_id_idx;


--
-- Name: audit_events_y2026m11_target_kind_target_id_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_target_kind_target_id_occurred_at ATTACH PARTITION ostiary.audit_events_y2026m11_target_kind_target_id_occurred_at_idx;


--
-- Name: audit_events_y2026m12_action_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_action_occurred_at ATTACH PARTITION ostiary.audit_events_y2026m12_action_occurred_at_idx;


--
-- Name: audit_events_y2026m12_actor_id_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_actor_id_occurred_at ATTACH PARTITION ostiary.audit_events_y2026m12_actor_id_occurred_at_idx;


--
-- Name: audit_events_y2026m12_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_occurred_at ATTACH PARTITION ostiary.audit_events_y2026m12_occurred_at_idx;


--
-- Name: audit_events_y2026m12_pkey; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.pk_audit_events_id ATTACH PARTITION ostiary.audit_events_y2026m12_pkey;


--
-- Name: audit_events_y2026m12_seq_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_seq ATTACH PARTITION ostiary.audit_events_y2026m12_seq_idx;


--
-- Name: audit_events_y2026m12_session_id_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_session_id ATTACH PARTITION ostiary.audit_events_y2026m12_session_id_idx;


--
-- Name: audit_events_y2026m12_target_kind_target_id_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_target_kind_target_id_occurred_at ATTACH PARTITION ostiary.audit_events_y2026m12_target_kind_target_id_occurred_at_idx;


--
-- Name: audit_events_y2027m01_action_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_action_occurred_at ATTACH PARTITION ostiary.audit_events_y2027m01_action_occurred_at_idx;


--
-- Name: audit_events_y2027m01_actor_id_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_actor_id_occurred_at ATTACH PARTITION ostiary.audit_events_y2027m01_actor_id_occurred_at_idx;


--
-- Name: audit_events_y2027m01_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_occurred_at ATTACH PARTITION ostiary.audit_events_y2027m01_occurred_at_idx;


--
-- Name: audit_events_y2027m01_pkey; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.pk_audit_events_id ATTACH PARTITION ostiary.audit_events_y2027m01_pkey;


--
-- Name: audit_events_y2027m01_seq_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_seq ATTACH PARTITION ostiary.audit_events_y2027m01_seq_idx;


--
-- Name: audit_events_y2027m01_session_id_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_session_id ATTACH PARTITION ostiary.audit_events_y2027m01_session_id_idx;


--
-- Name: audit_events_y2027m01_target_kind_target_id_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_target_kind_target_id_occurred_at ATTACH PARTITION ostiary.audit_events_y2027m01_target_kind_target_id_occurred_at_idx;


--
-- Name: audit_events_y2027m02_action_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_action_occurred_at ATTACH PARTITION ostiary.audit_events_y2027m02_action_occurred_at_idx;


--
-- Name: audit_events_y2027m02_actor_id_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_actor_id_occurred_at ATTACH PARTITION ostiary.audit_events_y2027m02_actor_id_occurred_at_idx;


--
-- Name: audit_events_y2027m02_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_occurred_at ATTACH PARTITION ostiary.audit_events_y2027m02_occurred_at_idx;


--
-- Name: audit_events_y2027m02_pkey; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.pk_audit_events_id ATTACH PARTITION ostiary.audit_events_y2027m02_pkey;


--
-- Name: audit_events_y2027m02_seq_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_seq ATTACH PARTITION ostiary.audit_events_y2027m02_seq_idx;


--
-- Name: audit_events_y2027m02_session_id_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_session_id ATTACH PARTITION ostiary.audit_events_y2027m02_session_id_idx;


--
-- Name: audit_events_y2027m02_target_kind_target_id_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_audit_events_target_kind_target_id_occurred_at ATTACH PARTITION ostiary.audit_events_y2027m02_target_kind_target_id_occurred_at_idx;


--
-- Name: login_history_default_identity_id_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_login_history_identity_id_occurred_at ATTACH PARTITION ostiary.login_history_default_identity_id_occurred_at_idx;


--
-- Name: login_history_default_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_login_history_occurred_at ATTACH PARTITION ostiary.login_history_default_occurred_at_idx;


--
-- Name: login_history_default_pkey; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.pk_login_history_id ATTACH PARTITION ostiary.login_history_default_pkey;


--
-- Name: login_history_default_session_id_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_login_history_session_id ATTACH PARTITION ostiary.login_history_default_session_id_idx;


--
-- Name: login_history_y2026m11_identity_id_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_login_history_identity_id_occurred_at ATTACH PARTITION ostiary.login_history_y2026m11_identity_id_occurred_at_idx;


--
-- Name: login_history_y2026m11_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_login_history_occurred_at ATTACH PARTITION ostiary.login_history_y2026m11_occurred_at_idx;


--
-- Name: login_history_y2026m11_pkey; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.pk_login_history_id ATTACH PARTITION ostiary.login_history_y2026m11_pkey;


--
-- Name: login_history_y2026m11_session_id_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_login_history_session_id ATTACH PARTITION ostiary.login_history_y2026m11_session_id_idx;


--
-- Name: login_history_y2026m12_identity_id_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_login_history_identity_id_occurred_at ATTACH PARTITION ostiary.login_history_y2026m12_identity_id_occurred_at_idx;


--
-- Name: login_history_y2026m12_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_login_history_occurred_at ATTACH PARTITION ostiary.login_history_y2026m12_occurred_at_idx;


--
-- Name: login_history_y2026m12_pkey; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.pk_login_history_id ATTACH PARTITION ostiary.login_history_y2026m12_pkey;


--
-- Name: login_history_y2026m12_session_id_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_login_history_session_id ATTACH PARTITION ostiary.login_history_y2026m12_session_id_idx;


--
-- Name: login_history_y2027m01_identity_id_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_login_history_identity_id_occurred_at ATTACH PARTITION ostiary.login_history_y2027m01_identity_id_occurred_at_idx;


--
-- Name: login_history_y2027m01_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_login_history_occurred_at ATTACH PARTITION ostiary.login_history_y2027m01_occurred_at_idx;


--
-- Name: login_history_y2027m01_pkey; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.pk_login_history_id ATTACH PARTITION ostiary.login_history_y2027m01_pkey;


--
-- Name: login_history_y2027m01_session_id_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_login_history_session_id ATTACH PARTITION ostiary.login_history_y2027m01_session_id_idx;


--
-- Name: login_history_y2027m02_identity_id_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_login_history_identity_id_occurred_at ATTACH PARTITION ostiary.login_history_y2027m02_identity_id_occurred_at_idx;


--
-- Name: login_history_y2027m02_occurred_at_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_login_history_occurred_at ATTACH PARTITION ostiary.login_history_y2027m02_occurred_at_idx;


--
-- Name: login_history_y2027m02_pkey; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.pk_login_history_id ATTACH PARTITION ostiary.login_history_y2027m02_pkey;


--
-- Name: login_history_y2027m02_session_id_idx; Type: INDEX ATTACH; Schema: ostiary; Owner: -
--

ALTER INDEX ostiary.ix_login_history_session_id ATTACH PARTITION ostiary.login_history_y2027m02_session_id_idx;


--
-- Name: audit_events audit_events_append_only; Type: TRIGGER; Schema: ostiary; Owner: -
--

CREATE TRIGGER audit_events_append_only BEFORE DELETE OR UPDATE ON ostiary.audit_events FOR EACH ROW EXECUTE FUNCTION ostiary.keep_audit_events();


--
-- Name: audit_events audit_events_no_truncate; Type: TRIGGER; Schema: ostiary; Owner: -
--

CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON ostiary.audit_events FOR EACH STATEMENT EXECUTE FUNCTION ostiary.keep_audit_events();


--
-- Name: identities identities_empty_login_history; Type: TRIGGER; Schema: ostiary; Owner: -
--

CREATE TRIGGER identities_empty_login_history AFTER DELETE ON ostiary.identities FOR EACH ROW EXECUTE FUNCTION ostiary.empty_login_history();


--
-- Name: admins ostiary_delete_identity; Type: TRIGGER; Schema: ostiary; Owner: -
--

CREATE TRIGGER ostiary_delete_identity AFTER DELETE ON ostiary.admins FOR EACH ROW EXECUTE FUNCTION ostiary.delete_identity_of_profile();


--
-- Name: services ostiary_delete_identity; Type: TRIGGER; Schema: ostiary; Owner: -
--

CREATE TRIGGER ostiary_delete_identity AFTER DELETE ON ostiary.services FOR EACH ROW EXECUTE FUNCTION ostiary.delete_identity_of_profile();


--
-- Name: users ostiary_delete_identity; Type: TRIGGER; Schema: ostiary; Owner: -
--

CREATE TRIGGER ostiary_delete_identity AFTER DELETE ON ostiary.users FOR EACH ROW EXECUTE FUNCTION ostiary.delete_identity_of_profile();


--
-- Name: admins ostiary_truncate_identities; Type: TRIGGER; Schema: ostiary; Owner: -
--

CREATE TRIGGER ostiary_truncate_identities BEFORE TRUNCATE ON ostiary.admins FOR EACH STATEMENT EXECUTE FUNCTION ostiary.delete_identity_of_profile();


--
-- Name: services ostiary_truncate_identities; Type: TRIGGER; Schema: ostiary; Owner: -
--

CREATE TRIGGER ostiary_truncate_identities BEFORE TRUNCATE ON ostiary.services FOR EACH STATEMENT EXECUTE FUNCTION ostiary.delete_identity_of_profile();


--
-- Name: users ostiary_truncate_identities; Type: TRIGGER; Schema: ostiary; Owner: -
--

CREATE TRIGGER ostiary_truncate_identities BEFORE TRUNCATE ON ostiary.users FOR EACH STATEMENT EXECUTE FUNCTION ostiary.delete_identity_of_profile();


--
-- Name: admins fk_admins_identity_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.admins
    ADD CONSTRAINT fk_admins_identity_id FOREIGN KEY (identity_id) REFERENCES ostiary.identities(id) ON DELETE CASCADE;


--
-- Name: audit_keys fk_audit_keys_identity_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.audit_keys
    ADD CONSTRAINT fk_audit_keys_identity_id FOREIGN KEY (identity_id) REFERENCES ostiary.identities(id) ON DELETE CASCADE;


--
-- Name: ceremonies fk_ceremonies_identity_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.ceremonies
    ADD CONSTRAINT fk_ceremonies_identity_id FOREIGN KEY (identity_id) REFERENCES ostiary.identities(id) ON DELETE CASCADE;


--
-- Name: challenges fk_challenges_identity_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.challenges
    ADD CONSTRAINT fk_challenges_identity_id FOREIGN KEY (identity_id) REFERENCES ostiary.identities(id) ON DELETE CASCADE;


--
-- Name: factor_resets fk_factor_resets_identity_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.factor_resets
    ADD CONSTRAINT fk_factor_resets_identity_id FOREIGN KEY (identity_id) REFERENCES ostiary.identities(id) ON DELETE CASCADE;


--
-- Name: linked_accounts fk_linked_accounts_data_key_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.linked_accounts
    ADD CONSTRAINT fk_linked_accounts_data_key_id FOREIGN KEY (data_key_id) REFERENCES ostiary.data_keys(id) ON DELETE RESTRICT;


--
-- Name: linked_accounts fk_linked_accounts_identity_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.linked_accounts
    ADD CONSTRAINT fk_linked_accounts_identity_id FOREIGN KEY (identity_id) REFERENCES ostiary.identities(id) ON DELETE CASCADE;


--
-- Name: message_factors fk_message_factors_identity_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.message_factors
    ADD CONSTRAINT fk_message_factors_identity_id FOREIGN KEY (identity_id) REFERENCES ostiary.identities(id) ON DELETE CASCADE;


--
-- Name: onboarding_sessions fk_onboarding_sessions_identity_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.onboarding_sessions
    ADD CONSTRAINT fk_onboarding_sessions_identity_id FOREIGN KEY (identity_id) REFERENCES ostiary.identities(id) ON DELETE CASCADE;


--
-- Name: outbox fk_outbox_endpoint_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.outbox
    ADD CONSTRAINT fk_outbox_endpoint_id FOREIGN KEY (endpoint_id) REFERENCES ostiary.webhook_endpoints(id) ON DELETE CASCADE;


--
-- Name: passkeys fk_passkeys_identity_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.passkeys
    ADD CONSTRAINT fk_passkeys_identity_id FOREIGN KEY (identity_id) REFERENCES ostiary.identities(id) ON DELETE CASCADE;


--
-- Name: recovery_codes fk_recovery_codes_identity_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.recovery_codes
    ADD CONSTRAINT fk_recovery_codes_identity_id FOREIGN KEY (identity_id) REFERENCES ostiary.identities(id) ON DELETE CASCADE;


--
-- Name: refresh_tokens fk_refresh_tokens_session_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.refresh_tokens
    ADD CONSTRAINT fk_refresh_tokens_session_id FOREIGN KEY (session_id) REFERENCES ostiary.sessions(id) ON DELETE CASCADE;


--
-- Name: remembered_devices fk_remembered_devices_identity_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.remembered_devices
    ADD CONSTRAINT fk_remembered_devices_identity_id FOREIGN KEY (identity_id) REFERENCES ostiary.identities(id) ON DELETE CASCADE;


--
-- Name: role_grants fk_role_grants_identity_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.role_grants
    ADD CONSTRAINT fk_role_grants_identity_id FOREIGN KEY (identity_id) REFERENCES ostiary.identities(id) ON DELETE CASCADE;


--
-- Name: role_grants fk_role_grants_role_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.role_grants
    ADD CONSTRAINT fk_role_grants_role_id FOREIGN KEY (role_id) REFERENCES ostiary.roles(id) ON DELETE CASCADE;


--
-- Name: role_permissions fk_role_permissions_role_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.role_permissions
    ADD CONSTRAINT fk_role_permissions_role_id FOREIGN KEY (role_id) REFERENCES ostiary.roles(id) ON DELETE CASCADE;


--
-- Name: service_credentials fk_service_credentials_identity_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.service_credentials
    ADD CONSTRAINT fk_service_credentials_identity_id FOREIGN KEY (identity_id) REFERENCES ostiary.identities(id) ON DELETE CASCADE;


--
-- Name: services fk_services_identity_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.services
    ADD CONSTRAINT fk_services_identity_id FOREIGN KEY (identity_id) REFERENCES ostiary.identities(id) ON DELETE CASCADE;


--
-- Name: sessions fk_sessions_identity_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.sessions
    ADD CONSTRAINT fk_sessions_identity_id FOREIGN KEY (identity_id) REFERENCES ostiary.identities(id) ON DELETE CASCADE;


--
-- Name: sessions fk_sessions_linked_account_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.sessions
    ADD CONSTRAINT fk_sessions_linked_account_id FOREIGN KEY (linked_account_id) REFERENCES ostiary.linked_accounts(id) ON DELETE SET NULL;


--
-- Name: sign_in_flows fk_sign_in_flows_identity_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.sign_in_flows
    ADD CONSTRAINT fk_sign_in_flows_identity_id FOREIGN KEY (identity_id) REFERENCES ostiary.identities(id) ON DELETE CASCADE;


--
-- Name: sign_in_flows fk_sign_in_flows_linked_account_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.sign_in_flows
    ADD CONSTRAINT fk_sign_in_flows_linked_account_id FOREIGN KEY (linked_account_id) REFERENCES ostiary.linked_accounts(id) ON DELETE CASCADE;


--
-- Name: totp_factors fk_totp_factors_identity_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.totp_factors
    ADD CONSTRAINT fk_totp_factors_identity_id FOREIGN KEY (identity_id) REFERENCES ostiary.identities(id) ON DELETE CASCADE;


--
-- Name: upstream_flows fk_upstream_flows_identity_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.upstream_flows
    ADD CONSTRAINT fk_upstream_flows_identity_id FOREIGN KEY (identity_id) REFERENCES ostiary.identities(id) ON DELETE CASCADE;


--
-- Name: users fk_users_identity_id; Type: FK CONSTRAINT; Schema: ostiary; Owner: -
--

ALTER TABLE ONLY ostiary.users
    ADD CONSTRAINT fk_users_identity_id FOREIGN KEY (identity_id) REFERENCES ostiary.identities(id) ON DELETE CASCADE;


--
-- PostgreSQL database dump complete
--


