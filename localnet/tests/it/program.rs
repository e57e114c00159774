//! Programs, deployed at start.

use escrow_localnet::{Config, Error, Localnet, Program};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_loader_v3_interface::{get_program_data_address, instruction as loader, state::UpgradeableLoaderState};
use solana_pubkey::Pubkey;
use solana_sdk_ids::bpf_loader_upgradeable;
use solana_signer::Signer;
use solana_transaction_error::TransactionError;

use crate::{SOL, any, embedded, transaction_error};

/// The memo program in its two versions, which is on every validator: a program that is small and works anywhere.
const MEMO: [Pubkey; 2] = [
    Pubkey::from_str_const("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"),
    Pubkey::from_str_const("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo"),
];

/// The program's bytes, as a validator keeps them.
async fn memo_elf(net: &Localnet, id: Pubkey) -> Vec<u8> {
    let account = net.account(&id).await.unwrap().unwrap();
    if account.owner != bpf_loader_upgradeable::ID {
        return account.data;
    }
    let programdata = net.account(&get_program_data_address(&id)).await.unwrap().unwrap();
    programdata.data[UpgradeableLoaderState::size_of_programdata_metadata()..].to_vec()
}

fn memo(program_id: Pubkey, text: &str) -> Instruction {
    Instruction { program_id, accounts: Vec::new(), data: text.as_bytes().to_vec() }
}

#[tokio::test]
async fn the_escrow_program_is_there_by_default() {
    let net = any().await;
    let account = net.account(&escrow::ID).await.unwrap().unwrap();
    assert!(account.executable);
    assert_eq!(account.owner, bpf_loader_upgradeable::ID);
    // It loads and runs: it refuses an instruction that it does not know by an error of its own or of its framework.
    let error = net.send(&[memo(escrow::ID, "")], &[]).await.unwrap_err();
    let Error::Rpc { source, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(matches!(transaction_error(source), TransactionError::InstructionError(0, _)), "{error:?}");
    assert!(!error.to_string().contains("Unsupported program id"), "{error}");
    eprintln!("{error}");
}

#[tokio::test]
async fn a_program_stands_at_its_address_and_runs() {
    let elf = memo_elf(&embedded().await, MEMO[0]).await;
    for authority in [None, Some(Pubkey::new_unique())] {
        let program = Program { id: Pubkey::new_unique(), elf: elf.clone().into(), upgrade_authority: authority };
        let net = Localnet::start(Config::bare().with_program(program.clone())).await.unwrap();
        net.send(&[memo(program.id, "hello")], &[]).await.unwrap();

        let account = net.account(&program.id).await.unwrap().unwrap();
        assert!(account.executable);
        assert_eq!(account.owner, bpf_loader_upgradeable::ID);
        let programdata_address = get_program_data_address(&program.id);
        assert_eq!(
            wincode::deserialize::<UpgradeableLoaderState>(&account.data).unwrap(),
            UpgradeableLoaderState::Program { programdata_address }
        );
        let programdata = net.account(&programdata_address).await.unwrap().unwrap();
        assert!(!programdata.executable);
        let (header, code) = programdata.data.split_at(UpgradeableLoaderState::size_of_programdata_metadata());
        assert_eq!(
            wincode::deserialize::<UpgradeableLoaderState>(header).unwrap(),
            UpgradeableLoaderState::ProgramData { slot: 0, upgrade_authority_address: authority }
        );
        assert_eq!(code, elf);
        // The other way round too: a handle for a validator that has it.
        Localnet::connect(net.rpc_url(), &[program]).await.unwrap();
    }
}

/// The loader program takes it for one of its own: it is upgraded by real transactions, and made immutable.
#[tokio::test]
async fn an_upgradeable_program_can_be_upgraded() {
    let (old, new) = {
        let net = embedded().await;
        (memo_elf(&net, MEMO[1]).await, memo_elf(&net, MEMO[0]).await)
    };
    let authority = Keypair::new();
    let id = Pubkey::new_unique();
    let net =
        Localnet::start(Config::bare().with_program(Program::new(id, old.clone()).upgradeable_by(authority.pubkey())))
            .await
            .unwrap();
    net.send(&[memo(id, "old")], &[]).await.unwrap();

    net.fund(&authority.pubkey(), 10 * SOL).await.unwrap();
    let buffer = Keypair::new();
    let create =
        loader::create_buffer(&authority.pubkey(), &buffer.pubkey(), &authority.pubkey(), SOL, new.len()).unwrap();
    net.send(&create, &[&authority, &buffer]).await.unwrap();
    for (index, chunk) in new.chunks(900).enumerate() {
        let offset = u32::try_from(index * 900).unwrap();
        let write = loader::write(&buffer.pubkey(), &authority.pubkey(), offset, chunk.to_vec());
        net.send(&[write], &[&authority]).await.unwrap();
    }
    let upgrade = loader::upgrade(&id, &buffer.pubkey(), &authority.pubkey(), &authority.pubkey(), true);
    net.send(&[upgrade], &[&authority]).await.unwrap();
    let programdata = net.account(&get_program_data_address(&id)).await.unwrap().unwrap();
    let code = &programdata.data[UpgradeableLoaderState::size_of_programdata_metadata()..];
    assert!(code.starts_with(&new));
    net.send(&[memo(id, "new")], &[]).await.unwrap();

    let renounce = loader::set_upgrade_authority(&id, &authority.pubkey(), None);
    net.send(&[renounce], &[&authority]).await.unwrap();
    net.send(&[memo(id, "immutable")], &[]).await.unwrap();
}
